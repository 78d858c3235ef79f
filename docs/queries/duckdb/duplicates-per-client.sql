-- The same client event sent under different ids within a day, by channel. What is rejected as a duplicate is no
-- record: metric `Duplicate` counts it.
WITH latest AS (
  SELECT * FROM read_parquet('records/client_events/*/*.parquet', hive_partitioning = true)
  QUALIFY row_number() OVER (PARTITION BY customer_id, record_id ORDER BY sequence_number DESC NULLS LAST) = 1
), contents AS (
  SELECT channel, count(*) AS sent FROM latest WHERE NOT removed AND record = 'event'
  GROUP BY channel, customer_id, type, event, "at", metadata, day
)
SELECT coalesce(channel, 'none') AS channel, CAST(sum(sent) AS BIGINT) AS events,
  CAST(sum(sent - 1) AS BIGINT) AS repeated, round(100 * sum(sent - 1) / sum(sent), 2) AS percent
FROM contents GROUP BY ALL ORDER BY repeated DESC, channel
