#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "agent/history/event_log.hpp"
#include "agent/history/history_store.hpp"
#include "agent/history/round_log.hpp"
#include "agent/http/series_answers.hpp"
#include "agent/tracing/board.hpp"
#include "net/http/http_message.hpp"
#include "render/hop_names.hpp"

namespace ecmp {

using NameSource = std::function<std::shared_ptr<const render::HopNames>()>;

/// Civil time, for what is told to people.
WallTime wall_now();

bool is_traced(const Board& board, std::string_view destination);
net::HttpResponse unknown_destination();

// What is passed by reference must outlive the answers: they read on while they are sent.

/// GET /topology
net::HttpResponse answer_topology(const net::HttpRequest& request, const Board& board, const RoundLog& log,
                                  const NameSource& names,
                                  const std::shared_ptr<const LocalisationReport>& localisation);

/// GET /topology?at=: of the rounds of the `window` before that moment. 404 where none of them are kept.
net::HttpResponse answer_past_topology(const net::HttpRequest& request, const PastSources& sources,
                                       const NameSource& names, Duration window);

/// GET /events. Without a store only what is in memory is told.
net::HttpResponse answer_events(const net::HttpRequest& request, const Board& board, const EventLog& events,
                                HistoryStore* store, const NameSource& names);

}  // namespace ecmp
