-- Points that each offer and campaign paid, by unit. Corrections are not deducted: they are not split by offer.
WITH latest AS (
  SELECT awards, removed FROM read_parquet('records/activities/*/*.parquet', hive_partitioning = true)
  QUALIFY row_number() OVER (PARTITION BY record_id ORDER BY sequence_number DESC NULLS LAST) = 1
  UNION ALL
  SELECT awards, removed FROM read_parquet('records/player_events/*/*.parquet', hive_partitioning = true)
  QUALIFY row_number() OVER (PARTITION BY player_id, record_id ORDER BY sequence_number DESC NULLS LAST) = 1
), paid AS (
  SELECT unnest(from_json(awards, '[{"offer": "VARCHAR", "unit": "VARCHAR", "points": "BIGINT"}]')) AS award
  FROM latest WHERE NOT removed
)
SELECT coalesce(award.unit, 'campaigns') AS unit, award.offer AS offer,
  CAST(sum(award.points) AS BIGINT) AS points, count(*) AS awards
FROM paid GROUP BY 1, 2 ORDER BY points DESC, offer
