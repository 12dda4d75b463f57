#include "codec/column_choice.h"

#include <bit>
#include <cstddef>
#include <cstdint>

namespace libsync::codec {
namespace {

// Roughly the bits that a value takes.
std::uint64_t cost_of(std::int32_t value) {
  const std::uint32_t magnitude =
      value < 0 ? 0u - static_cast<std::uint32_t>(value) : static_cast<std::uint32_t>(value);
  return magnitude == 0 ? 0 : static_cast<std::uint64_t>(std::bit_width(magnitude)) + 2;
}

class Chooser {
 public:
  explicit Chooser(std::vector<ColumnChoice>& choices) : choices_(choices) {}

  void add(std::uint32_t column) {
    if (!find(column)) choices_.insert(choices_.begin() + static_cast<std::ptrdiff_t>(last_), ColumnChoice{column, {}});
  }
  // What the step of an entry that moved costs by each way of prediction. `delta`: by how much it changes now.
  void weigh(const Motion& motion, std::int32_t delta) {
    if (!find(motion.column)) return;
    for (std::uint32_t order = 0; order < kOrders; ++order) {
      const auto expected = static_cast<std::uint32_t>(motion.expected(static_cast<Order>(order)));
      choices_[last_].bits[order] += cost_of(static_cast<std::int32_t>(static_cast<std::uint32_t>(delta) - expected));
    }
  }

 private:
  // Sets last_ to where it is, or would be.
  bool find(std::uint32_t column) {
    // Mostly the next one, or the first again.
    if (++last_ < choices_.size() && choices_[last_].column == column) return true;
    const auto at = std::lower_bound(choices_.begin(), choices_.end(), column,
                                     [](const ColumnChoice& c, std::uint32_t wanted) { return c.column < wanted; });
    last_ = static_cast<std::size_t>(at - choices_.begin());
    return at != choices_.end() && at->column == column;
  }

  std::vector<ColumnChoice>& choices_;
  std::size_t last_ = 0;
};

// Some rows, by their numbers, where there are many more than `kEnough` motions.
class Sample {
 public:
  explicit Sample(std::size_t n_motions)
      : mask_((1u << static_cast<std::uint32_t>(std::bit_width(n_motions / kEnough))) - 1) {}
  bool has(std::uint32_t row) const { return ((row * 0x9e3779b9u) >> 16 & mask_) == 0; }

 private:
  static constexpr std::size_t kEnough = 2048;
  std::uint32_t mask_;
};

}  // namespace

void choose_columns(const std::vector<Change>& changes, const std::vector<Motion>& motions,
                    std::vector<ColumnChoice>& choices) {
  choices.clear();
  Chooser chooser(choices);
  for (const Change& change : changes) chooser.add(change.column);
  const Sample sample(motions.size());
  const auto is_before = [](const Change& change, std::uint32_t row) { return change.row < row; };
  auto change = changes.begin();
  for (std::size_t m = 0; m < motions.size();) {
    const std::uint32_t row = motions[m].row;
    if (!sample.has(row)) {
      while (m < motions.size() && motions[m].row == row) ++m;
      continue;
    }
    change = std::lower_bound(change, changes.end(), row, is_before);
    for (; m < motions.size() && motions[m].row == row; ++m) {
      const std::uint32_t column = motions[m].column;
      while (change != changes.end() && change->row == row && change->column < column) ++change;
      const bool is_both = change != changes.end() && change->row == row && change->column == column;
      chooser.weigh(motions[m], is_both ? change->delta : 0);
    }
  }
}

}  // namespace libsync::codec
