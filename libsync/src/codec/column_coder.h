// column_coder.h: which columns of a type take part in a patch, and how each is predicted.
// Format: docs/WIRE_FORMAT.md section 3.5. One template for both directions: see entropy_coder.h.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "codec/column_choice.h"
#include "codec/entropy_coder.h"
#include "codec/models.h"
#include "codec/row_work.h"

namespace libsync::codec {

template <typename Coder>
class ColumnCoder {
 public:
  // `size_bytes`: of what the columns are of.
  ColumnCoder(Coder& coder, Models& models, TypeModel& model, RowWork& work, std::uint32_t size_bytes)
      : coder_(coder), models_(models), model_(model), work_(work), size_bytes_(size_bytes) {}

  // Fills work.active, for an Encoder as work.choices says. False: malformed (Decoder).
  bool run() {
    bool is_as_before = true;  // the same columns as in the last patch
    if (!code_known(is_as_before)) return false;
    if constexpr (!Coder::kDecodes) find_new();
    const bool is_new = model_.columns.empty() || coder_.bit(model_.is_new_column, !work_.new_columns.empty());
    if (is_new && !code_new()) return false;
    work_.active.clear();
    for (ColumnModel& column : model_.columns) {
      if (column.was_active) work_.active.push_back({column.column, column.order, &column});
    }
    if (!is_as_before || is_new || work_.last_stamp < model_.stamp) model_.stamp = ++work_.last_stamp;
    return !work_.active.empty();
  }

 private:
  bool code_known(bool& is_as_before) {
    auto choice = work_.choices.cbegin();
    for (ColumnModel& column : model_.columns) {
      bool is_active = false;
      if constexpr (!Coder::kDecodes) {
        while (choice != work_.choices.end() && choice->column < column.column) ++choice;
        is_active = choice != work_.choices.end() && choice->column == column.column;
      }
      const Order wanted = is_active ? best_order(*choice) : Order::kStays;
      is_active = coder_.bit(models_.is_active[column.was_active ? 1 : 0], is_active);
      if (is_active) {
        const auto before = static_cast<std::uint32_t>(column.order);
        const std::uint32_t order = coder_.nibble(models_.orders[before], static_cast<std::uint32_t>(wanted));
        if (order >= kOrders) return false;
        column.order = static_cast<Order>(order);
      }
      is_as_before = is_as_before && column.was_active == is_active;
      column.was_active = is_active;
    }
    return true;
  }
  // An Encoder's, into work_.new_columns.
  void find_new() {
    work_.new_columns.clear();
    auto known = model_.columns.cbegin();
    for (const ColumnChoice& choice : work_.choices) {
      while (known != model_.columns.end() && known->column < choice.column) ++known;
      if (known == model_.columns.end() || known->column != choice.column) work_.new_columns.push_back(choice.column);
    }
  }
  bool code_new() {
    const std::uint32_t n =
        coder_.number(models_.n_columns, static_cast<std::uint32_t>(work_.new_columns.size()) - 1) + 1;
    const std::size_t most = max_known_columns(size_bytes_);
    if (n > most - std::min(most, models_.n_known_columns)) return false;
    models_.n_known_columns += n;
    work_.new_columns.resize(n);
    std::vector<ColumnModel>& known = model_.columns;
    const auto n_known = static_cast<std::ptrdiff_t>(known.size());
    known.reserve(known.size() + n);
    work_.active.reserve(known.size() + n);
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
    std::inplace_merge(known.begin(), known.begin() + n_known, known.end(), is_before);
    const auto is_same = [](const ColumnModel& a, const ColumnModel& b) { return a.column == b.column; };
    return std::adjacent_find(known.begin(), known.end(), is_same) == known.end();
  }

  Coder& coder_;
  Models& models_;
  TypeModel& model_;
  RowWork& work_;
  std::uint32_t size_bytes_;
};

}  // namespace libsync::codec
