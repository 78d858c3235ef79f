-- The 100 members with the most points of the last 30 days, after corrections.
WITH numbered AS (
  SELECT member_id, points, removed, row_number() OVER (PARTITION BY record_id ORDER BY sequence_number DESC) AS age
  FROM activities WHERE day >= date_format(current_date - INTERVAL '30' DAY, '%Y-%m-%d')
  UNION ALL
  SELECT member_id, points, removed, row_number() OVER (PARTITION BY player_id, record_id ORDER BY sequence_number DESC)
  FROM player_events WHERE day >= date_format(current_date - INTERVAL '30' DAY, '%Y-%m-%d')
)
SELECT member_id, sum(points) AS points, count(*) AS records
FROM numbered WHERE age = 1 AND NOT removed AND points IS NOT NULL
GROUP BY member_id ORDER BY points DESC, member_id LIMIT 100
