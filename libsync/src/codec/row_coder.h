// row_coder.h: the rows of a type that change, and how. Format: docs/WIRE_FORMAT.md section 3.5. One template for both
// directions: see entropy_coder.h.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "codec/entropy_coder.h"
#include "codec/gap_coder.h"
#include "codec/models.h"
#include "codec/row_entries.h"
#include "codec/row_work.h"
#include "codec/rows.h"
#include "codec/structure.h"
#include "codec/value_coder.h"

namespace libsync::codec {

// Rows are coded in order. Those that moved, that is, that the last step changed, say whether they go on as expected;
// which others change is told.
template <typename Coder, typename BeforeStore>
class RowCoder {
 public:
  // `bytes`, `changes`, `before_store`: see residual.h. Requires: work.active is complete. All outlive this.
  RowCoder(Coder& coder, Models& models, RowWork& work, const Structure& structure, std::byte* bytes,
           std::uint32_t type, const Rows& rows, const std::vector<Change>& changes, BeforeStore& before_store)
      : coder_(coder),
        model_(models.types[type]),
        work_(work),
        structure_(structure),
        type_(structure.types()[type]),
        bytes_(bytes),
        rows_(rows),
        changes_(changes),
        before_store_(before_store),
        gaps_(coder, models, model_),
        values_(coder, models),
        entries_(work, structure, type, model_.stamp),
        motions_(model_.motions) {
    is_predicting_ = std::any_of(work.active.begin(), work.active.end(),
                                 [](const ActiveColumn& a) { return a.order != Order::kStays; });
  }

  // False: malformed (Decoder).
  bool run() {
    if constexpr (!Coder::kDecodes) {
      find_told();
      work_.motions.resize(std::max(work_.motions.size(), motions_.size() + changes_.size()));
    }
    const std::uint32_t least = motions_.empty() ? 1 : 0;
    const std::uint32_t n_told = gaps_.count(static_cast<std::uint32_t>(work_.told.size()) - least) + least;
    std::uint32_t n_others = rows_.n - n_rows_until(motions_.size());  // that did not move, from row_ on
    if (n_told > n_others) return false;
    for (std::uint32_t done = 0; done < n_told; ++done) {
      std::uint32_t gap = 0;
      if constexpr (!Coder::kDecodes) gap = gap_to(work_.told[done]);
      if (!gaps_.gap(n_others, n_told - done, gap)) return false;
      n_others -= gap + 1;
      while (m_ < motions_.size() && motions_[m_].row - row_ <= gap) {
        gap -= motions_[m_].row - row_;
        if (!code_moved_row()) return false;
      }
      row_ += gap;
      find_entries();
      if (!code_row(m_)) return false;
      leave_row();
    }
    while (m_ < motions_.size()) {
      if (!code_moved_row()) return false;
    }
    work_.motions.resize(n_motions_);
    motions_.swap(work_.motions);
    return true;
  }

 private:
  // --- which rows -------------------------------------------------------------------------------------------

  // Rows that the last step did not change, but this one does: into work_.told.
  void find_told() {
    work_.told.clear();
    std::size_t m = 0;
    for (const Change& change : changes_) {
      if (!work_.told.empty() && work_.told.back() == change.row) continue;
      while (m < motions_.size() && motions_[m].row < change.row) ++m;
      if (m == motions_.size() || motions_[m].row != change.row) work_.told.push_back(change.row);
    }
  }
  // Rows that moved, of the motions from m_ on up to this one.
  std::uint32_t n_rows_until(std::size_t end) const {
    std::uint32_t n = 0;
    for (std::size_t i = m_; i < end; ++i) n += i == m_ || motions_[i].row != motions_[i - 1].row ? 1u : 0u;
    return n;
  }
  // Rows from row_ up to this one, but for those that moved.
  std::uint32_t gap_to(std::uint32_t row) const {
    std::size_t end = m_;
    while (end < motions_.size() && motions_[end].row < row) ++end;
    return row - row_ - n_rows_until(end);
  }
  // Of row_.
  void find_entries() {
    if (type_.has_one_row()) {
      object_ = first_row_ = row_;
    } else {
      for (std::uint32_t n = 0; first_row_ + (n = n_rows_in(rows_.starts[object_])) <= row_; ++object_) first_row_ += n;
    }
    entries_.find(object_, rows_.starts[object_], row_ - first_row_);
  }
  std::uint32_t n_rows_in(std::uint32_t start) const { return type_.rows_of(structure_.starts.next(start) - start); }

  // --- one row ----------------------------------------------------------------------------------------------

  // The next one that moved: whether it is as expected, and if not, how.
  bool code_moved_row() {
    row_ = motions_[m_].row;
    std::size_t end = m_;
    while (end < motions_.size() && motions_[end].row == row_) ++end;
    bool is_off = false;
    if constexpr (!Coder::kDecodes) {
      find_entries();
      is_off = is_any_off(end);
    }
    is_off = coder_.bit(model_.is_again, is_off);
    if (is_off || is_predicting_) {
      if constexpr (Coder::kDecodes) find_entries();
      if (!is_off) {
        keep_going(end);
      } else if (!code_row(end)) {
        return false;
      }
    }
    m_ = end;
    leave_row();
    return true;
  }
  void leave_row() {
    while (at_ < changes_.size() && changes_[at_].row == row_) ++at_;
    ++row_;
  }
  // The one of the motions from `m` on, up to `end`, that is of this column; else null. Columns ascend.
  const Motion* motion_of(std::size_t& m, std::size_t end, std::uint32_t column) const {
    while (m < end && motions_[m].column < column) ++m;
    return m < end && motions_[m].column == column ? &motions_[m] : nullptr;
  }
  // By how much the column of the row changes; `at`: in changes_. Columns ascend.
  std::int32_t delta_of(std::size_t& at, std::uint32_t column) const {
    while (at < changes_.size() && changes_[at].row == row_ && changes_[at].column < column) ++at;
    return at < changes_.size() && changes_[at].row == row_ && changes_[at].column == column ? changes_[at].delta : 0;
  }
  static std::uint32_t expected_of(const Motion& motion, Order order, std::uint32_t width) {
    return static_cast<std::uint32_t>(cut(static_cast<std::uint32_t>(motion.expected(order)), width));
  }

  // Whether any entry of the row is other than its motion, one of those up to `end`, makes expect.
  bool is_any_off(std::size_t end) const {
    std::size_t m = m_, at = at_;
    for (std::size_t k = 0; k < entries_.n(); ++k) {
      const ActiveColumn& active = entries_.column(k);
      const Motion* motion = motion_of(m, end, active.column);
      const auto expected = motion != nullptr ? static_cast<std::uint32_t>(motion->expected(active.order)) : 0u;
      const auto delta = static_cast<std::uint32_t>(delta_of(at, active.column));
      if (cut(delta - expected, entries_.width(k)) != 0) return true;
    }
    return false;
  }

  // A row of which some entry is other than expected. Its motions are those up to `end`.
  bool code_row(std::size_t end) {
    if (entries_.n() == 0) return false;
    std::size_t m = m_;
    unsigned was_changed = 1, any = 0;
    for (std::size_t k = 0; k < entries_.n(); ++k) {
      const Entry entry = entries_.entry(k);
      const ActiveColumn& active = entries_.column(k);
      const Motion* motion = motion_of(m, end, active.column);
      const std::uint32_t expected = motion != nullptr ? expected_of(*motion, active.order, entry.width) : 0u;
      std::int32_t delta = 0, off = 0;
      if constexpr (!Coder::kDecodes) {
        delta = delta_of(at_, active.column);
        off = cut(static_cast<std::uint32_t>(delta) - expected, entry.width);
      }
      // A row without a change would not be told of.
      const bool must_change = any == 0 && k + 1 == entries_.n();
      const unsigned moved = motion != nullptr ? 4 : 0;
      const bool is_changed =
          must_change || coder_.bit(active.model->is_changed[was_changed + 2 * any + moved], off != 0);
      if (is_changed) {
        coder_.begin(Part::kValues);
        off = values_.value(active.model->values[motion != nullptr && active.order != Order::kStays ? 1 : 0], off);
        coder_.begin(Part::kRows);
        any = 1;
      }
      was_changed = is_changed ? 1 : 0;
      if constexpr (Coder::kDecodes)
        delta = cut(expected + (is_changed ? static_cast<std::uint32_t>(off) : 0u), entry.width);
      move(active.column, entry, delta, motion);
    }
    return true;
  }
  // A row of which every entry is as expected. Its motions are those up to `end`.
  void keep_going(std::size_t end) {
    std::size_t m = m_;
    for (std::size_t k = 0; k < entries_.n() && m < end; ++k) {
      const ActiveColumn& active = entries_.column(k);
      const Motion* motion = motion_of(m, end, active.column);
      if (motion == nullptr) continue;
      const Entry entry = entries_.entry(k);
      move(active.column, entry, static_cast<std::int32_t>(expected_of(*motion, active.order, entry.width)), motion);
    }
  }
  void move(std::uint32_t column, Entry entry, std::int32_t delta, const Motion* motion) {
    if (delta == 0) return;
    if (n_motions_ == work_.motions.size()) work_.motions.resize(2 * n_motions_ + 64);
    work_.motions[n_motions_++] = {row_, column, delta, motion != nullptr ? motion->step : 0};
    if constexpr (Coder::kDecodes) {
      before_store_(entry);
      store_entry(bytes_, entry, load_entry(bytes_, entry) + static_cast<std::uint32_t>(delta));
    }
  }

  Coder& coder_;
  TypeModel& model_;
  RowWork& work_;
  const Structure& structure_;
  const Type& type_;
  std::byte* bytes_;
  const Rows& rows_;
  const std::vector<Change>& changes_;
  BeforeStore& before_store_;
  GapCoder<Coder> gaps_;
  ValueCoder<Coder> values_;
  RowEntries entries_;
  std::vector<Motion>& motions_;  // of the last step
  bool is_predicting_ = false;    // some column is expected to go on
  std::size_t n_motions_ = 0;     // in work_.motions so far
  // Where it is: the next row, and the first of changes_ and motions_ that are not of rows before it.
  std::uint32_t row_ = 0;
  std::size_t at_ = 0;
  std::size_t m_ = 0;
  // The object of the last row, an index in rows_, and its first row in the type.
  std::size_t object_ = 0;
  std::uint32_t first_row_ = 0;
};

}  // namespace libsync::codec
