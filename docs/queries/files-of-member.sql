-- The files with rows of a member, for an erasure. Replace A-1001 by its id.
SELECT DISTINCT "$path" AS file FROM activities WHERE member_id = 'acct#A-1001' OR correlation_id = 'A-1001'
UNION
SELECT DISTINCT "$path" FROM player_events WHERE member_id = 'player#A-1001' OR player_id = 'A-1001'
UNION
SELECT DISTINCT "$path" FROM client_events WHERE customer_id = 'A-1001'
