-- The same client event sent under different ids within a day, by channel. What is rejected as a duplicate is no
-- record: metric `Duplicate` counts it.
WITH numbered AS (
  SELECT customer_id, channel, type, event, at, metadata, day, removed, record,
    row_number() OVER (PARTITION BY customer_id, record_id ORDER BY sequence_number DESC) AS age
  FROM client_events WHERE day >= date_format(current_date - INTERVAL '30' DAY, '%Y-%m-%d')
), contents AS (
  SELECT coalesce(channel, 'none') AS channel, count(*) AS sent
  FROM numbered WHERE age = 1 AND NOT removed AND record = 'event'
  GROUP BY channel, customer_id, type, event, at, metadata, day
)
SELECT channel, sum(sent) AS events, sum(sent - 1) AS repeated, round(100e0 * sum(sent - 1) / sum(sent), 2) AS percent
FROM contents GROUP BY channel ORDER BY repeated DESC, channel
