-- Records received per hour in UTC, by table. Deleted ones count: they were received.
WITH received AS (
  SELECT DISTINCT 'client events' AS api, customer_id AS owner, record_id, received_at
  FROM read_parquet('records/client_events/*/*.parquet', hive_partitioning = true)
  UNION ALL
  SELECT DISTINCT 'activities', NULL, record_id, received_at
  FROM read_parquet('records/activities/*/*.parquet', hive_partitioning = true)
  UNION ALL
  SELECT DISTINCT 'player events', player_id, record_id, received_at
  FROM read_parquet('records/player_events/*/*.parquet', hive_partitioning = true)
)
SELECT date_trunc('hour', received_at AT TIME ZONE 'UTC') AS hour, api, count(*) AS records
FROM received GROUP BY hour, api ORDER BY hour, api
