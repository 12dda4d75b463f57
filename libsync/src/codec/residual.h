// residual.h: what is left between a prediction and the target, coded row by row and column by column.
// Format: docs/WIRE_FORMAT.md section 3.5. One template for both directions: see entropy_coder.h.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "codec/column_choice.h"
#include "codec/column_coder.h"
#include "codec/entropy_coder.h"
#include "codec/gap_coder.h"
#include "codec/models.h"
#include "codec/row_coder.h"
#include "codec/row_work.h"
#include "codec/rows.h"
#include "codec/structure.h"
#include "codec/value_coder.h"

namespace libsync::codec {

template <typename Coder>
class ResidualCoder {
 public:
  // `bytes`: for a Decoder the prediction, which becomes the target; for an Encoder the target.
  // `structure`: of what the rows are counted in, the baseline or the target.
  ResidualCoder(Coder& coder, Models& models, RowWork& work, const Structure& structure, std::byte* bytes)
      : coder_(coder), models_(models), work_(work), structure_(structure), bytes_(bytes), values_(coder, models) {
    models_.types.resize(structure.types().size());
  }

  // All rows of a type. `changes`: an Encoder's, by row, then column. Every stored entry is told before it changes.
  // False: malformed (Decoder).
  template <typename BeforeStore>
  bool rows(std::uint32_t type, const Rows& rows, const std::vector<Change>& changes, BeforeStore before_store) {
    TypeModel& model = models_.types[type];
    coder_.begin(Part::kColumns, type);
    if (!is_any(model, !changes.empty())) {
      model.motions.clear();
      return true;
    }
    if constexpr (!Coder::kDecodes) choose_columns(changes, model.motions, work_.choices);
    if (!ColumnCoder<Coder>(coder_, models_, model, work_, structure_.size_bytes).run()) return false;
    coder_.begin(Part::kRows, type);
    return RowCoder<Coder, BeforeStore>(coder_, models_, work_, structure_, bytes_, type, rows, changes, before_store)
        .run();
  }

  // An object without a predecessor: every entry may differ from `prediction`.
  void fresh_object(const Object& object, const std::byte* prediction) {
    coder_.begin(Part::kNewObjects, object.type);
    const Type& type = structure_.types()[object.type];
    auto& fresh = models_.types[object.type].fresh;
    const std::uint32_t n_rows = type.rows_of(object.size());
    for (std::uint32_t row = 0; row < n_rows; ++row) {
      for_each_entry(type, structure_.shapes(), object, row, [&](std::uint32_t column, Entry entry) {
        auto& [is_changed, values] = fresh[fresh_column(type, column)];
        std::int32_t delta = 0;
        if constexpr (!Coder::kDecodes)
          delta = cut(load_entry(bytes_, entry) - load_entry(prediction, entry), entry.width);
        if (!coder_.bit(is_changed, delta != 0)) return;
        delta = values_.value(values, delta);
        if constexpr (Coder::kDecodes)
          store_entry(bytes_, entry, load_entry(bytes_, entry) + static_cast<std::uint32_t>(delta));
      });
    }
  }

  // Which of `n` strings of a type differ. For a Decoder `changed` is filled.
  bool texts(std::uint32_t type, std::uint32_t n, std::vector<std::uint32_t>& changed) {
    TypeModel& model = models_.types[type];
    coder_.begin(Part::kTexts, type);
    if (!is_any(model, !changed.empty())) return true;
    GapCoder<Coder> gaps(coder_, models_, model);
    const std::uint32_t n_changed = gaps.count(static_cast<std::uint32_t>(changed.size()) - 1) + 1;
    if (n_changed > n) return false;
    changed.resize(n_changed);
    std::uint32_t row = 0;
    for (std::uint32_t i = 0; i < n_changed; ++i, ++row) {
      std::uint32_t gap = Coder::kDecodes ? 0 : changed[i] - row;
      if (!gaps.gap(n - row, n_changed - i, gap)) return false;
      changed[i] = row += gap;
    }
    return true;
  }

 private:
  // Whether anything of a type changes.
  bool is_any(TypeModel& model, bool is_any) {
    is_any = coder_.bit(model.is_any[model.was_any ? 1 : 0], is_any);
    model.was_any = is_any;
    return is_any;
  }
  // Columns that no baseline had share a model, so that memory does not grow with the target.
  static std::uint32_t fresh_column(const Type& type, std::uint32_t column) {
    if (type.kind == Kind::kTable) return std::min(column, kTailColumns + 15);
    return type.is_whole ? std::min(column, 15u) : column;
  }

  Coder& coder_;
  Models& models_;
  RowWork& work_;
  const Structure& structure_;
  std::byte* bytes_;
  ValueCoder<Coder> values_;
};

}  // namespace libsync::codec
