-- Records received per hour of the last 7 days in UTC, by table. Deleted ones count: they were received.
WITH received AS (
  SELECT 'client events' AS api, customer_id || ' ' || record_id AS record_id, received_at FROM client_events
  WHERE day >= date_format(current_date - INTERVAL '7' DAY, '%Y-%m-%d')
  UNION
  SELECT 'activities', record_id, received_at FROM activities
  WHERE day >= date_format(current_date - INTERVAL '7' DAY, '%Y-%m-%d')
  UNION
  SELECT 'player events', player_id || ' ' || record_id, received_at FROM player_events
  WHERE day >= date_format(current_date - INTERVAL '7' DAY, '%Y-%m-%d')
)
SELECT date_trunc('hour', received_at) AS hour, api, count(*) AS records
FROM received GROUP BY 1, 2 ORDER BY 1, 2
