SELECT link, confidence, unmatched_reason, count(*) AS calls
FROM correlated
GROUP BY link, confidence, unmatched_reason
