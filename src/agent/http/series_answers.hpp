#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "agent/history/history_store.hpp"
#include "agent/history/rollup_log.hpp"
#include "agent/history/round_log.hpp"
#include "agent/tracing/board.hpp"
#include "net/http/byte_budget.hpp"
#include "net/http/http_message.hpp"

namespace ecmp {

/// What the answers about the past are made of. All of it must outlive them.
struct PastSources {
  const Board* board = nullptr;
  const RoundLog* log = nullptr;
  const RollupLog* rollups = nullptr;
  HistoryStore* store = nullptr;            ///< null: nothing is on disk
  std::shared_ptr<net::ByteBudget> budget;  ///< for what an answer holds
};

/// GET /series. Its figures are gathered before it is answered: with 503, where they are more than the budget has.
net::HttpResponse answer_series(const net::HttpRequest& request, const PastSources& sources);

/// GET /overview
net::HttpResponse answer_overview(const net::HttpRequest& request, const PastSources& sources);

/// Bytes that one answer takes out of the budget, little by little, until it is sent.
class AnswerCharge {
 public:
  explicit AnswerCharge(std::shared_ptr<net::ByteBudget> budget) : budget_(std::move(budget)) {}
  /// False: there is no room for so much.
  bool grow_to(std::size_t bytes);

 private:
  std::shared_ptr<net::ByteBudget> budget_;
  std::size_t charged_ = 0;
  std::vector<net::ByteBudget::Token> tokens_;
};
net::HttpResponse no_answer_memory();

}  // namespace ecmp
