-- Rounds as /paths has them, one row for each round of a flow. A shipper that was restarted sends some of them twice: rows with
-- the same key become one with the next merge, and for views, which read FINAL, at once. Rounds of six hops of the lab take 25
-- bytes each once they are merged; real round-trip times are less alike, and take more.
CREATE TABLE IF NOT EXISTS rounds
(
    timestamp        DateTime64(9) CODEC(DoubleDelta, ZSTD),
    agent            LowCardinality(String),
    destination      LowCardinality(String),
    protocol         LowCardinality(String),
    source_ip        String CODEC(ZSTD),
    source_port      UInt16,
    destination_ip   String CODEC(ZSTD),
    destination_port UInt16,
    path             LowCardinality(String),
    path_ordinal     UInt32,
    changed          LowCardinality(String),
    reached_dest     Bool,
    loss             Bool,
    outcome          LowCardinality(String),
    hops             Array(Tuple(
        ttl UInt8, ip String, ptr String, timeout Bool, silent Bool, rtt_ns UInt64, reply String,
        reply_ttl UInt8)) CODEC(ZSTD)
)
ENGINE = ReplacingMergeTree
PARTITION BY toDate(timestamp)
ORDER BY (destination, agent, source_port, timestamp)
TTL toDateTime(timestamp) + INTERVAL 30 DAY;

-- Loss of each path in each hour. Other outcomes say nothing about the network: docs/http.md lists them.
CREATE VIEW IF NOT EXISTS path_loss AS
SELECT toStartOfHour(timestamp) AS hour, agent, destination, path, count() AS rounds, avg(loss) AS loss_ratio
FROM rounds FINAL
WHERE outcome IN ('reached', 'lost')
GROUP BY hour, agent, destination, path;

-- Which responders were on the way of rounds that were lost, and how often.
CREATE VIEW IF NOT EXISTS responders AS
SELECT toStartOfHour(timestamp) AS hour, hop.ip AS responder, count() AS rounds, countIf(loss) AS lost,
       quantilesIf(0.5, 0.99)(hop.rtt_ns / 1e9, NOT hop.timeout) AS rtt_seconds
FROM rounds FINAL
ARRAY JOIN hops AS hop
WHERE hop.ip != '' AND outcome IN ('reached', 'lost')
GROUP BY hour, responder;
