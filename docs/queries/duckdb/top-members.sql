-- The 100 members with the most points, after corrections. Points of all units are added up.
WITH latest AS (
  SELECT member_id, points, removed FROM read_parquet('records/activities/*/*.parquet', hive_partitioning = true)
  QUALIFY row_number() OVER (PARTITION BY record_id ORDER BY sequence_number DESC NULLS LAST) = 1
  UNION ALL
  SELECT member_id, points, removed FROM read_parquet('records/player_events/*/*.parquet', hive_partitioning = true)
  QUALIFY row_number() OVER (PARTITION BY player_id, record_id ORDER BY sequence_number DESC NULLS LAST) = 1
)
SELECT member_id, CAST(sum(points) AS BIGINT) AS points, count(*) AS records
FROM latest WHERE NOT removed AND points IS NOT NULL
GROUP BY member_id ORDER BY points DESC, member_id LIMIT 100
