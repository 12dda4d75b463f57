// target_reader.h: what the bytes at some place of the target could be, by the types of the baseline.
#pragma once

#include <cstdint>

#include "codec/align/sides.h"
#include "codec/align/target_vtables.h"

namespace libsync::codec {

// Everywhere 0 bytes mean that such an object cannot be there.
class TargetReader {
 public:
  // `vtables` outlives this.
  TargetReader(const Sides& sides, TargetVtables& vtables) : sides_(sides), vtables_(vtables) {}

  TargetVtables& vtables() const { return vtables_; }

  // Bytes that a string or vector of this type needs at `start`, up to `end`.
  std::uint32_t core_of(std::uint32_t type, std::uint32_t start, std::uint32_t end) const;
  // Bytes that an object of this type needs where it starts, up to `end`. Sets the shape of a table or vtable; a
  // table's may be learnt.
  std::uint32_t core_like(Object& object, std::uint32_t end);
  // Bytes of a vtable that is not known, and comes just before a table that has it. `type`: of such tables. Sets its
  // shape, which is learnt.
  std::uint32_t core_of_new_vtable(Object& vtable, std::uint32_t type);

  // Whether there is nothing between two objects but what may align the second. Requires: begin <= end.
  bool is_padding(std::uint32_t begin, std::uint32_t end) const;
  // The table that comes just behind its vtable, which begins here, known or not; kNone: there is none.
  std::uint32_t table_behind(std::uint32_t vtable) const;

 private:
  Sides sides_;
  TargetVtables& vtables_;
};

}  // namespace libsync::codec
