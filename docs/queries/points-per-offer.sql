-- Points that each offer and campaign paid in the last 30 days, by unit. Corrections are not deducted: see `points`.
WITH numbered AS (
  SELECT record_id, '' AS player_id, awards, removed, row_number() OVER (PARTITION BY record_id ORDER BY sequence_number DESC) AS age
  FROM activities WHERE day >= date_format(current_date - INTERVAL '30' DAY, '%Y-%m-%d')
  UNION ALL
  SELECT record_id, player_id, awards, removed, row_number() OVER (PARTITION BY player_id, record_id ORDER BY sequence_number DESC)
  FROM player_events WHERE day >= date_format(current_date - INTERVAL '30' DAY, '%Y-%m-%d')
)
SELECT coalesce(json_extract_scalar(award, '$.unit'), 'campaigns') AS unit,
  json_extract_scalar(award, '$.offer') AS offer,
  sum(CAST(json_extract_scalar(award, '$.points') AS bigint)) AS points,
  count(*) AS awards
FROM numbered CROSS JOIN UNNEST(CAST(json_parse(awards) AS array(json))) AS list(award)
WHERE age = 1 AND NOT removed
GROUP BY 1, 2 ORDER BY 3 DESC, 2
