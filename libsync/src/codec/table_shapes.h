// table_shapes.h: the vtables of a structure's tables by rank, once it has stayed for some patches: looked up at once
// where Structure would take three steps through memory.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "codec/structure.h"

namespace libsync::codec {

class TableShapes {
 public:
  // Of what the next patch changes in place; null: it moves.
  void use(std::shared_ptr<const Structure> structure) {
    if (structure == structure_) {
      n_uses_ += structure != nullptr ? 1 : 0;
      return;
    }
    structure_ = std::move(structure);
    shapes_.clear();
    n_uses_ = 1;
  }
  // [tables of the type]; null: not known.
  const Tag* of(std::uint32_t type) {
    if (n_uses_ < kWorthwhile || structure_->types()[type].kind != Kind::kTable) return nullptr;
    shapes_.resize(structure_->types().size());
    std::vector<Tag>& shapes = shapes_[type];
    const std::vector<std::uint32_t>& starts = structure_->groups[type].starts;
    if (shapes.empty()) {
      shapes.reserve(starts.size());
      const std::size_t n_types = structure_->types().size();
      for (const std::uint32_t start : starts)
        shapes.push_back(static_cast<Tag>(structure_->tags[structure_->starts.index_of(start)] - n_types));
    }
    return shapes.data();
  }

 private:
  static constexpr int kWorthwhile = 3;
  std::shared_ptr<const Structure> structure_;
  int n_uses_ = 0;                        // of a structure; it does not grow without one
  std::vector<std::vector<Tag>> shapes_;  // [types]
};

}  // namespace libsync::codec
