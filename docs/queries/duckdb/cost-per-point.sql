-- DynamoDB's write units and what a point cost, at the list price of 0.625 dollars a million units.
-- Units by record as in docs/operations.md, "Cost of a million events"; the stream and the archive are not included.
WITH latest AS (
  SELECT record, points, removed FROM read_parquet('records/activities/*/*.parquet', hive_partitioning = true)
  QUALIFY row_number() OVER (PARTITION BY record_id ORDER BY sequence_number DESC NULLS LAST) = 1
  UNION ALL
  SELECT record, points, removed FROM read_parquet('records/player_events/*/*.parquet', hive_partitioning = true)
  QUALIFY row_number() OVER (PARTITION BY player_id, record_id ORDER BY sequence_number DESC NULLS LAST) = 1
  UNION ALL
  SELECT record, 0, removed FROM read_parquet('records/client_events/*/*.parquet', hive_partitioning = true)
  QUALIFY row_number() OVER (PARTITION BY customer_id, record_id ORDER BY sequence_number DESC NULLS LAST) = 1
), written AS (
  SELECT record, coalesce(points, 0) AS points, CASE
    WHEN record = 'event' THEN 1
    WHEN record = 'activity' AND points > 0 THEN 5
    WHEN record = 'activity' THEN 2
    WHEN record = 'reversal' THEN 7
    WHEN record = 'adjustment' THEN 5
    WHEN record = 'refund' THEN 6
    WHEN record = 'request' AND points > 0 THEN 4
    WHEN record = 'request' THEN 1
    ELSE 0 END AS units
  FROM latest WHERE NOT removed
)
SELECT coalesce(record, 'all') AS kind, count(*) AS records, CAST(sum(units) AS BIGINT) AS write_units,
  CAST(sum(points) AS BIGINT) AS points, round(sum(units) * 0.625e0, 3) AS microdollars,
  round(sum(units) * 0.625e0 / nullif(greatest(sum(points), 0), 0), 4) AS microdollars_per_point
FROM written GROUP BY GROUPING SETS ((record), ()) ORDER BY record NULLS LAST
