// residual.h: what is left between a prediction and the target, coded row by row and column by column.
// Format: docs/WIRE_FORMAT.md section 3.5. One template for both directions: see entropy_coder.h.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "codec/entropy_coder.h"
#include "codec/models.h"
#include "codec/rows.h"
#include "codec/structure.h"

namespace libsync::codec {

// A column that takes part in a patch.
struct ActiveColumn {
  std::uint32_t column;
  Order order;
  ColumnModel* model;
};
// An entry of a row, in one of the active columns.
struct FoundEntry {
  std::uint32_t active;  // index in the active columns
  Entry entry;
};
// Where all tables of a shape have the active columns.
struct RowPlan {
  std::uint64_t stamp = 0;        // of the set of active columns, TypeModel::stamp
  std::vector<FoundEntry> found;  // positions from the start of the table
};
// What an Encoder knows of a column before it codes.
struct ColumnChoice {
  std::uint32_t column;
  bool is_changed = false;
  std::array<std::uint64_t, kOrders> bits{};
};

// What a ResidualCoder works with; its memory is worth keeping from patch to patch. A copy has none of its content.
struct RowWork {
  RowWork() = default;
  RowWork(const RowWork&) {}
  RowWork& operator=(const RowWork&) {
    for (RowPlan& plan : plans) plan.stamp = 0;
    return *this;
  }
  RowWork(RowWork&&) noexcept = default;
  RowWork& operator=(RowWork&&) noexcept = default;

  std::vector<ColumnChoice> choices;
  std::vector<std::uint32_t> new_columns;
  std::vector<ActiveColumn> active;
  std::vector<std::uint32_t> told;
  std::vector<RowPlan> plans;  // [shapes]
  std::vector<Motion> motions;
  std::vector<FoundEntry> found;
  std::uint64_t last_stamp = 0;
};

template <typename Coder>
class ResidualCoder {
 public:
  // `bytes`: for a Decoder the prediction, which becomes the target; for an Encoder the target.
  // `structure`: of what the rows are counted in, the baseline or the target.
  ResidualCoder(Coder& coder, Models& models, RowWork& work, const Structure& structure, std::byte* bytes)
      : coder_(coder),
        models_(models),
        work_(work),
        structure_(structure),
        schema_(structure.schema.get()),
        bytes_(bytes) {
    models_.types.resize(schema_->types.size());
  }

  // All rows of a type. `changes`: an Encoder's, by row, then column. Every stored entry is told before it changes.
  // False: malformed (Decoder).
  template <typename BeforeStore>
  bool rows(std::uint32_t type_index, const Rows& rows, const std::vector<Change>& changes, BeforeStore before_store) {
    type_ = &schema_->types[type_index];
    model_ = &models_.types[type_index];
    coder_.begin(Part::kColumns, type_index);
    const bool is_any = coder_.bit(model_->is_any[model_->was_any ? 1 : 0], !changes.empty());
    model_->was_any = is_any;
    if (!is_any) {
      model_->motions.clear();
      return true;
    }
    if constexpr (!Coder::kDecodes) choose(changes);
    if (!code_columns()) return false;
    coder_.begin(Part::kRows, type_index);
    is_roomy_ = structure_.groups[type_index].is_roomy;
    return code_rows(rows, changes, before_store);
  }

  // An object without a predecessor: every entry may differ from `prediction`.
  void fresh_object(const Object& object, const std::byte* prediction) {
    coder_.begin(Part::kNewObjects, object.type);
    const Type& type = schema_->types[object.type];
    auto& fresh = models_.types[object.type].fresh;
    const std::uint32_t n_rows = type.rows_of(object.size());
    for (std::uint32_t row = 0; row < n_rows; ++row) {
      for_each_entry(type, schema_->shapes, object, row, [&](std::uint32_t column, Entry entry) {
        auto& [is_changed, values] = fresh[fresh_column(type, column)];
        std::int32_t delta = 0;
        if constexpr (!Coder::kDecodes)
          delta = cut(load_entry(bytes_, entry) - load_entry(prediction, entry), entry.width);
        if (!coder_.bit(is_changed, delta != 0)) return;
        delta = value(values, delta);
        if constexpr (Coder::kDecodes)
          store_entry(bytes_, entry, load_entry(bytes_, entry) + static_cast<std::uint32_t>(delta));
      });
    }
  }

  // Which of `n` strings of a type differ. For a Decoder `changed` is filled.
  bool texts(std::uint32_t type_index, std::uint32_t n, std::vector<std::uint32_t>& changed) {
    model_ = &models_.types[type_index];
    coder_.begin(Part::kTexts, type_index);
    const bool is_any = coder_.bit(model_->is_any[model_->was_any ? 1 : 0], !changed.empty());
    model_->was_any = is_any;
    if (!is_any) return true;
    const std::uint32_t n_changed = count(static_cast<std::uint32_t>(changed.size()) - 1) + 1;
    if (n_changed > n) return false;
    changed.resize(n_changed);
    std::uint32_t row = 0;
    for (std::uint32_t i = 0; i < n_changed; ++i, ++row) {
      std::uint32_t gap = Coder::kDecodes ? 0 : changed[i] - row;
      if (!code_gap(n - row, n_changed - i, gap)) return false;
      changed[i] = row += gap;
    }
    return true;
  }

 private:
  // Columns that no baseline had share a model, so that memory does not grow with the target.
  static std::uint32_t fresh_column(const Type& type, std::uint32_t column) {
    if (type.kind == Kind::kTable) return std::min(column, kTailColumns + 15);
    return type.is_whole ? std::min(column, 15u) : column;
  }
  // How many rows or strings changed that did not change last time.
  std::uint32_t count(std::uint32_t n) {
    if (!model_->has_count) {
      model_->has_count = true;
      model_->count = models_.count;
      model_->count.length.seen = std::min<std::uint8_t>(models_.count.length.seen, 1);
    }
    n = coder_.number(model_->count, n);
    models_.count.length.learn(std::min<std::uint32_t>(static_cast<std::uint32_t>(std::bit_width(n + 1)) - 1, 15));
    return n;
  }

  // Rows to leave out before the next of `n_left` changed ones among the last `n_rows`. What an even spread would give
  // is known to both ends: the bits below it are not modelled.
  bool code_gap(std::uint32_t n_rows, std::uint32_t n_left, std::uint32_t& gap) {
    const std::uint32_t most = n_rows - n_left;
    if (most == 0) return gap == 0;
    const auto raw_bits = static_cast<unsigned>(std::max(0, static_cast<int>(std::bit_width(n_rows / n_left)) - 3));
    std::uint32_t high = coder_.nibble(model_->gaps.near, std::min(gap >> raw_bits, 15u));
    if (high == 15) high += coder_.number(model_->gaps.far, (gap >> raw_bits) - 15);
    if (high > most >> raw_bits) return false;
    gap = high << raw_bits | coder_.raw(raw_bits, gap & ((1u << raw_bits) - 1));
    return gap <= most;
  }

  // --- an Encoder's choice: which columns take part, and how they are predicted ------------------------------

  static std::uint64_t cost_of(std::int32_t value) {
    const std::uint32_t magnitude =
        value < 0 ? 0u - static_cast<std::uint32_t>(value) : static_cast<std::uint32_t>(value);
    return magnitude == 0 ? 0 : static_cast<std::uint64_t>(std::bit_width(magnitude)) + 2;
  }
  ColumnChoice& choice_of(std::uint32_t column) {
    // Mostly the next one, or the first again.
    if (++last_choice_ < work_.choices.size() && work_.choices[last_choice_].column == column)
      return work_.choices[last_choice_];
    const auto at = std::lower_bound(work_.choices.begin(), work_.choices.end(), column,
                                     [](const ColumnChoice& c, std::uint32_t wanted) { return c.column < wanted; });
    last_choice_ = static_cast<std::size_t>(at - work_.choices.begin());
    if (at == work_.choices.end() || at->column != column) work_.choices.insert(at, ColumnChoice{column});
    return work_.choices[last_choice_];
  }
  void choose(const std::vector<Change>& changes) {
    work_.choices.clear();
    for (const Change& change : changes) choice_of(change.column).is_changed = true;
    const std::vector<Motion>& motions = model_->motions;
    // What goes on must be told to go on; of many rows some tell of all.
    const std::uint32_t skip = static_cast<std::uint32_t>(std::bit_width(motions.size() / kSampled));
    const auto is_sampled = [&](std::uint32_t row) { return ((row * 0x9e3779b9u) >> 16 & ((1u << skip) - 1)) == 0; };
    std::size_t at = 0;
    for (std::size_t m = 0; m < motions.size();) {
      const std::uint32_t row = motions[m].row;
      if (!is_sampled(row)) {
        while (m < motions.size() && motions[m].row == row) ++m;
        continue;
      }
      const auto is_before = [](const Change& change, std::uint32_t wanted) { return change.row < wanted; };
      at = static_cast<std::size_t>(
          std::lower_bound(changes.begin() + static_cast<std::ptrdiff_t>(at), changes.end(), row, is_before) -
          changes.begin());
      for (; m < motions.size() && motions[m].row == row; ++m) {
        const Motion& motion = motions[m];
        while (at < changes.size() && changes[at].row == row && changes[at].column < motion.column) ++at;
        const bool is_both = at < changes.size() && changes[at].row == row && changes[at].column == motion.column;
        const auto delta = static_cast<std::uint32_t>(is_both ? changes[at].delta : 0);
        ColumnChoice& choice = choice_of(motion.column);
        for (std::uint32_t order = 0; order < kOrders; ++order) {
          const auto expected = static_cast<std::uint32_t>(motion.expected(static_cast<Order>(order)));
          choice.bits[order] += cost_of(static_cast<std::int32_t>(delta - expected));
        }
      }
    }
  }
  static constexpr std::size_t kSampled = 2048;
  static Order best_order(const ColumnChoice& choice) {
    const auto best = std::min_element(choice.bits.begin(), choice.bits.end());
    return static_cast<Order>(best - choice.bits.begin());
  }

  // --- columns ----------------------------------------------------------------------------------------------

  // Fills work_.active: the columns that take part, ascending.
  bool code_columns() {
    std::vector<ColumnModel>& known = model_->columns;
    const std::size_t n_known = known.size();
    work_.active.clear();
    bool is_same = true;   // as in the last patch
    std::size_t next = 0;  // choice
    const auto wanted = [&](std::uint32_t column) -> const ColumnChoice* {
      if constexpr (Coder::kDecodes) return nullptr;
      while (next < work_.choices.size() && work_.choices[next].column < column) ++next;
      const bool is_found = next < work_.choices.size() && work_.choices[next].column == column;
      const bool takes_part =
          is_found && (work_.choices[next].is_changed || best_order(work_.choices[next]) != Order::kStays);
      return takes_part ? &work_.choices[next] : nullptr;
    };
    for (ColumnModel& column : known) {
      const ColumnChoice* choice = wanted(column.column);
      const bool is_active = coder_.bit(models_.is_active[column.was_active ? 1 : 0], choice != nullptr);
      if (is_active) {
        const auto before = static_cast<std::uint32_t>(column.order);
        const std::uint32_t order = coder_.nibble(
            models_.orders[before], choice != nullptr ? static_cast<std::uint32_t>(best_order(*choice)) : 0);
        if (order >= kOrders) return false;
        column.order = static_cast<Order>(order);
      }
      is_same = is_same && column.was_active == is_active;
      column.was_active = is_active;
    }
    work_.new_columns.clear();
    if constexpr (!Coder::kDecodes) {
      std::size_t k = 0;
      for (const ColumnChoice& choice : work_.choices) {
        while (k < n_known && known[k].column < choice.column) ++k;
        if ((k == n_known || known[k].column != choice.column) && choice.is_changed)
          work_.new_columns.push_back(choice.column);
      }
    }
    const bool is_new = n_known == 0 || coder_.bit(model_->is_new_column, !work_.new_columns.empty());
    if (is_new && !code_new_columns()) return false;
    for (ColumnModel& column : known) {
      if (column.was_active) work_.active.push_back({column.column, column.order, &column});
    }
    if (!is_same || is_new || model_->stamp == 0 || work_.last_stamp < model_->stamp)
      model_->stamp = ++work_.last_stamp;
    has_tails_ = !work_.active.empty() && work_.active.back().column >= kTailColumns;
    return !work_.active.empty();
  }
  bool code_new_columns() {
    const std::uint32_t n =
        coder_.number(models_.n_columns, static_cast<std::uint32_t>(work_.new_columns.size()) - 1) + 1;
    // Each is of at least one byte.
    const std::size_t most = std::min<std::size_t>(kMaxKnownColumns, structure_.size_bytes);
    if (n > most - std::min(most, models_.n_known_columns)) return false;
    models_.n_known_columns += n;
    work_.new_columns.resize(n);
    std::vector<ColumnModel>& known = model_->columns;
    const std::size_t n_known = known.size();
    std::uint32_t next = 0;
    for (std::uint32_t& column : work_.new_columns) {
      const std::uint32_t gap = coder_.number(models_.column_gap, column - next);
      if (gap >= kEndColumns - next) return false;
      column = next + gap;
      next = column + 1;
      ColumnModel added;
      added.column = column;
      added.was_active = true;
      known.push_back(added);
    }
    const auto is_before = [](const ColumnModel& a, const ColumnModel& b) { return a.column < b.column; };
    std::inplace_merge(known.begin(), known.begin() + static_cast<std::ptrdiff_t>(n_known), known.end(), is_before);
    const auto is_same = [](const ColumnModel& a, const ColumnModel& b) { return a.column == b.column; };
    return std::adjacent_find(known.begin(), known.end(), is_same) == known.end();
  }

  // --- rows -------------------------------------------------------------------------------------------------

  // What the row has of work_.active, ascending, into found_.
  void find_entries(std::uint32_t start, std::uint32_t row) {
    if (type_->kind == Kind::kTable) {
      const std::uint32_t shape_index =
          structure_.tags[structure_.starts.index_of(start)] - static_cast<std::uint32_t>(schema_->types.size());
      const Shape& shape = schema_->shapes[shape_index];
      if (work_.plans.size() <= shape_index) work_.plans.resize(schema_->shapes.size());
      RowPlan& plan = work_.plans[shape_index];
      if (plan.stamp != model_->stamp) make_plan(plan, shape);
      bool is_plain = is_roomy_ && !has_tails_;
      if (!is_plain) {
        const std::uint32_t size = structure_.starts.next(start) - start;
        is_plain = shape.table_size == size || (shape.table_size < size && !has_tails_);
      }
      if (is_plain) {
        found_ = plan.found.data();
        n_found_ = plan.found.size();
        base_ = start;
        return;
      }
    }
    const Object object = structure_.object(start);
    work_.found.clear();
    base_ = 0;
    if (type_->kind == Kind::kTable) {
      find_in_odd_table(object);
    } else {
      find_in_vector(object, row);
    }
    found_ = work_.found.data();
    n_found_ = work_.found.size();
  }
  // A table that is smaller than its vtable says, or has something behind it.
  void find_in_odd_table(const Object& object) {
    auto next = work_.active.begin();
    for_each_entry(*type_, schema_->shapes, object, 0, [&](std::uint32_t column, Entry entry) {
      next = first_at(next, column);
      if (next == work_.active.end() || next->column != column) return;
      work_.found.push_back({static_cast<std::uint32_t>(next - work_.active.begin()), entry});
    });
  }
  // The first active column from `from` on that is not below `column`: mostly near, but a stream may name many.
  std::vector<ActiveColumn>::iterator first_at(std::vector<ActiveColumn>::iterator from, std::uint32_t column) {
    for (int i = 0; i < 4; ++i, ++from) {
      if (from == work_.active.end() || from->column >= column) return from;
    }
    const auto is_below = [](const ActiveColumn& active, std::uint32_t wanted) { return active.column < wanted; };
    return std::lower_bound(from, work_.active.end(), column, is_below);
  }
  // Where columns are four bytes apart.
  void find_in_vector(const Object& object, std::uint32_t row) {
    const RowRange range = row_range(*type_, object, row);
    for (std::uint32_t i = 0; i < work_.active.size(); ++i) {
      const std::uint32_t column = work_.active[i].column;
      if (column < range.first_column) continue;
      const std::uint64_t position = range.begin + 4 * std::uint64_t{column - range.first_column};
      if (position >= range.end) break;
      const auto at = static_cast<std::uint32_t>(position);
      work_.found.push_back({i, {at, std::min(4u, range.end - at)}});
    }
  }
  void make_plan(RowPlan& plan, const Shape& shape) {
    plan.stamp = model_->stamp;
    plan.found.clear();
    auto next = work_.active.begin();
    for (const Lane& lane : shape.lanes) {
      next = first_at(next, lane.column);
      if (next == work_.active.end()) break;
      if (next->column == lane.column)
        plan.found.push_back({static_cast<std::uint32_t>(next - work_.active.begin()), {lane.offset, lane.width}});
    }
  }

  // Where row `row` is: in which object, and which of its rows. Rows ascend.
  struct Place {
    std::size_t object = 0;
    std::uint32_t first_row = 0;  // of the object, in the type
  };
  void go_to(Place& place, const Rows& rows, std::uint32_t row) const {
    if (type_->has_one_row()) {
      place.object = place.first_row = row;
      return;
    }
    for (std::uint32_t n = 0; place.first_row + (n = rows_in(rows.starts[place.object])) <= row; ++place.object) {
      place.first_row += n;
    }
  }
  std::uint32_t rows_in(std::uint32_t start) const { return type_->rows_of(structure_.starts.next(start) - start); }

  template <typename BeforeStore>
  bool code_rows(const Rows& rows, const std::vector<Change>& changes, BeforeStore before_store) {
    std::vector<Motion>& motions = model_->motions;
    std::uint32_t n_moved = 0;  // rows
    for (std::size_t i = 0; i < motions.size(); ++i)
      n_moved += i == 0 || motions[i].row != motions[i - 1].row ? 1u : 0u;
    if constexpr (!Coder::kDecodes) find_told(changes);
    const std::uint32_t least = motions.empty() ? 1 : 0;
    const std::uint32_t n_told = count(static_cast<std::uint32_t>(work_.told.size()) - least) + least;
    std::uint32_t n_others = rows.n - n_moved;  // that the last step did not change, from `row` on
    if (n_told > n_others) return false;
    is_predicting_ = std::any_of(work_.active.begin(), work_.active.end(),
                                 [](const ActiveColumn& a) { return a.order != Order::kStays; });

    n_motions_ = 0;
    if constexpr (!Coder::kDecodes)
      work_.motions.resize(std::max(work_.motions.size(), motions.size() + changes.size()));
    Place place;
    std::size_t at = 0;     // in changes
    std::size_t m = 0;      // in motions
    std::uint32_t row = 0;  // the next one
    std::uint32_t done = 0;
    const auto moved_row = [&] {
      row = motions[m].row;
      std::size_t end = m;
      while (end < motions.size() && motions[end].row == row) ++end;
      bool is_again = false;
      const auto find = [&] {
        go_to(place, rows, row);
        find_entries(rows.starts[place.object], row - place.first_row);
      };
      if constexpr (!Coder::kDecodes) {
        find();
        is_again = is_off(changes, at, row, m, end);
      }
      is_again = coder_.bit(model_->is_again, is_again);
      if (is_again || is_predicting_) {
        if constexpr (Coder::kDecodes) find();
        if (is_again ? !code_row(row, changes, at, m, end, before_store) : !keep_going(row, m, end, before_store))
          return false;
      }
      if constexpr (!Coder::kDecodes) {
        while (at < changes.size() && changes[at].row == row) ++at;
      }
      m = end;
      ++row;
      return true;
    };
    for (; done < n_told; ++done) {
      std::uint32_t gap = 0;
      if constexpr (!Coder::kDecodes) {
        gap = work_.told[done] - row;
        for (std::size_t i = m; i < motions.size() && motions[i].row < work_.told[done]; ++i)
          gap -= i == m || motions[i].row != motions[i - 1].row ? 1u : 0u;
      }
      if (!code_gap(n_others, n_told - done, gap)) return false;
      n_others -= gap + 1;
      while (m < motions.size() && motions[m].row - row <= gap) {
        gap -= motions[m].row - row;
        if (!moved_row()) return false;
      }
      row += gap;
      go_to(place, rows, row);
      find_entries(rows.starts[place.object], row - place.first_row);
      if (!code_row(row, changes, at, m, m, before_store)) return false;
      ++row;
    }
    while (m < motions.size()) {
      if (!moved_row()) return false;
    }
    work_.motions.resize(n_motions_);
    motions.swap(work_.motions);
    return true;
  }
  // Rows that the last step did not change, but this one does: into work_.told.
  void find_told(const std::vector<Change>& changes) {
    work_.told.clear();
    std::size_t m = 0;
    const std::vector<Motion>& motions = model_->motions;
    for (const Change& change : changes) {
      if (!work_.told.empty() && work_.told.back() == change.row) continue;
      while (m < motions.size() && motions[m].row < change.row) ++m;
      if (m == motions.size() || motions[m].row != change.row) work_.told.push_back(change.row);
    }
  }
  // Whether any entry of the row in found_ is other than its motion makes expect.
  bool is_off(const std::vector<Change>& changes, std::size_t at, std::uint32_t row, std::size_t m,
              std::size_t end) const {
    const std::vector<Motion>& motions = model_->motions;
    for (std::size_t k = 0; k < n_found_; ++k) {
      const ActiveColumn& active = work_.active[found_[k].active];
      while (m < end && motions[m].column < active.column) ++m;
      std::uint32_t off = 0;
      if (m < end && motions[m].column == active.column)
        off = 0u - static_cast<std::uint32_t>(motions[m].expected(active.order));
      while (at < changes.size() && changes[at].row == row && changes[at].column < active.column) ++at;
      if (at < changes.size() && changes[at].row == row && changes[at].column == active.column)
        off += static_cast<std::uint32_t>(changes[at].delta);
      if (cut(off, found_[k].entry.width) != 0) return true;
    }
    return false;
  }

  // A row of which some entry is other than expected. Its motions: [m, end).
  template <typename BeforeStore>
  bool code_row(std::uint32_t row, const std::vector<Change>& changes, std::size_t& at, std::size_t m, std::size_t end,
                BeforeStore before_store) {
    if (n_found_ == 0) return false;
    const std::vector<Motion>& motions = model_->motions;
    unsigned was_changed = 1, any = 0;
    for (std::size_t k = 0; k < n_found_; ++k) {
      const Entry entry{base_ + found_[k].entry.position, found_[k].entry.width};
      const ActiveColumn& active = work_.active[found_[k].active];
      while (m < end && motions[m].column < active.column) ++m;
      const Motion* motion = m < end && motions[m].column == active.column ? &motions[m] : nullptr;
      const auto expected =
          motion != nullptr
              ? static_cast<std::uint32_t>(cut(static_cast<std::uint32_t>(motion->expected(active.order)), entry.width))
              : 0u;
      std::int32_t delta = 0, off = 0;
      if constexpr (!Coder::kDecodes) {
        while (at < changes.size() && changes[at].row == row && changes[at].column < active.column) ++at;
        if (at < changes.size() && changes[at].row == row && changes[at].column == active.column)
          delta = changes[at++].delta;
        off = cut(static_cast<std::uint32_t>(delta) - expected, entry.width);
      }
      bool is_changed = true;
      // A row without a change would not be told of.
      if (any != 0 || k + 1 < n_found_) {
        is_changed =
            coder_.bit(active.model->is_changed[was_changed + 2 * any + (motion != nullptr ? 4 : 0)], off != 0);
      }
      if (is_changed) {
        coder_.begin(Part::kValues);
        off = value(active.model->values[motion != nullptr && active.order != Order::kStays ? 1 : 0], off);
        coder_.begin(Part::kRows);
        any = 1;
      }
      was_changed = is_changed ? 1 : 0;
      if constexpr (Coder::kDecodes)
        delta = cut(expected + (is_changed ? static_cast<std::uint32_t>(off) : 0u), entry.width);
      move(row, active.column, entry, delta, motion, before_store);
    }
    return true;
  }
  // A row of which every entry is as expected.
  template <typename BeforeStore>
  bool keep_going(std::uint32_t row, std::size_t m, std::size_t end, BeforeStore before_store) {
    const std::vector<Motion>& motions = model_->motions;
    for (std::size_t k = 0; k < n_found_ && m < end; ++k) {
      const ActiveColumn& active = work_.active[found_[k].active];
      while (m < end && motions[m].column < active.column) ++m;
      if (m == end || motions[m].column != active.column) continue;
      const Entry entry{base_ + found_[k].entry.position, found_[k].entry.width};
      const std::int32_t delta = cut(static_cast<std::uint32_t>(motions[m].expected(active.order)), entry.width);
      move(row, active.column, entry, delta, &motions[m], before_store);
    }
    return true;
  }
  template <typename BeforeStore>
  void move(std::uint32_t row, std::uint32_t column, Entry entry, std::int32_t delta, const Motion* motion,
            BeforeStore before_store) {
    if (delta == 0) return;
    if (n_motions_ == work_.motions.size()) work_.motions.resize(2 * n_motions_ + 64);
    work_.motions[n_motions_++] = {row, column, delta, motion != nullptr ? motion->step : 0};
    if constexpr (Coder::kDecodes) {
      before_store(entry);
      store_entry(bytes_, entry, load_entry(bytes_, entry) + static_cast<std::uint32_t>(delta));
    }
  }

  // --- values -----------------------------------------------------------------------------------------------

  // A model begins as that of all columns is when it is needed first; that one learns from models that are still new.
  std::uint32_t learnt(std::uint32_t& index, Nibble& parent, std::uint32_t symbol) {
    if (index == 0) {
      models_.nibbles.push_back(parent);
      models_.nibbles.back().seen = std::min<std::uint8_t>(parent.seen, 1);
      index = static_cast<std::uint32_t>(models_.nibbles.size());
    }
    Nibble& model = models_.nibbles[index - 1];
    const bool is_new = model.seen < kInfant;
    symbol = coder_.nibble(model, symbol);
    if (is_new) parent.learn(symbol);
    return symbol;
  }
  static constexpr std::uint8_t kInfant = 14;

  // A value that is not zero: its length in bits, sign and second bit by models, the rest as it is.
  std::int32_t value(std::uint32_t& index, std::int32_t delta) {
    if (index == 0) {
      models_.values.emplace_back();
      index = static_cast<std::uint32_t>(models_.values.size());
    }
    ValueModel& model = models_.values[index - 1];
    std::uint32_t magnitude = 0, high = 0, detail = 0;
    if constexpr (!Coder::kDecodes) {
      magnitude = delta < 0 ? 0u - static_cast<std::uint32_t>(delta) : static_cast<std::uint32_t>(delta);
      const auto length = static_cast<std::uint32_t>(std::bit_width(magnitude)) - 1;
      high = length >> 2;
      detail = (length & 3) << 1 | (delta < 0 ? 1u : 0u);
    }
    high = learnt(model.nibbles[16], models_.size, high);
    detail = learnt(model.nibbles[high], models_.details[high], detail);
    const std::uint32_t length = (high << 2 | detail >> 1) & 31;
    magnitude = 1u << length | coder_.raw(length, magnitude & ((1u << length) - 1));
    return static_cast<std::int32_t>((detail & 1) != 0 ? 0u - magnitude : magnitude);
  }

  Coder& coder_;
  Models& models_;
  RowWork& work_;
  const Structure& structure_;
  const Schema* schema_;
  std::byte* bytes_;
  // Of the type at hand.
  const Type* type_ = nullptr;
  TypeModel* model_ = nullptr;
  std::size_t last_choice_ = 0;
  bool is_predicting_ = false;
  bool has_tails_ = false;
  bool is_roomy_ = false;
  std::size_t n_motions_ = 0;
  // Of the row at hand.
  const FoundEntry* found_ = nullptr;
  std::size_t n_found_ = 0;
  std::uint32_t base_ = 0;  // what the positions in found_ count from
};

}  // namespace libsync::codec
