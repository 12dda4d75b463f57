// odd_layouts.h: bytes that a FlatBuffers verifier may accept and no builder writes: objects that share others, lie in
// one another or are looked at over and over. What finds structure in them has to come to an end, at both ends the
// same.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "codec/structure.h"
#include "libsync/types.h"

namespace libsync::test {

// Places things where it is told to.
class Layout {
 public:
  explicit Layout(std::size_t size) : bytes(size) {}

  void u16(std::uint32_t at, std::uint32_t value) {
    bytes[at] = static_cast<std::byte>(value);
    bytes[at + 1] = static_cast<std::byte>(value >> 8);
  }
  void u32(std::uint32_t at, std::uint32_t value) { codec::store32(&bytes[at], value); }
  void refer(std::uint32_t at, std::uint32_t target) { u32(at, target - at); }
  void vtable(std::uint32_t at, std::uint32_t table_size, std::initializer_list<std::uint32_t> offsets) {
    u16(at, static_cast<std::uint32_t>(4 + 2 * offsets.size()));
    u16(at + 2, table_size);
    at += 4;
    for (const std::uint32_t offset : offsets) u16(at, offset), at += 2;
  }
  void table(std::uint32_t at, std::uint32_t vtable) { u32(at, at - vtable); }
  void references(std::uint32_t at, std::initializer_list<std::uint32_t> targets) {
    u32(at, static_cast<std::uint32_t>(targets.size()));
    for (const std::uint32_t target : targets) at += 4, refer(at, target);
  }
  void text(std::uint32_t at, std::string_view text) {
    u32(at, static_cast<std::uint32_t>(text.size()));
    for (const char character : text) bytes[4 + at++] = static_cast<std::byte>(character);
  }

  Bytes bytes;
};

// A table whose last field, a reference of six bytes, is cut by the table that it refers to.
inline Bytes cut_layout() {
  Layout out(52);
  out.refer(0, 24);
  out.vtable(4, 14, {8});
  out.table(24, 4);
  out.refer(32, 36);
  out.vtable(44, 8, {4});
  out.table(36, 44);
  out.u32(40, 0x70000001);
  return out.bytes;
}

// A table, vectors of nothing but that table, one of them in two fields.
inline Bytes shared_layout() {
  Layout out(100);
  out.refer(0, 24);
  out.vtable(4, 20, {4, 8, 12, 16});
  out.table(24, 4);
  out.refer(28, 88);
  out.refer(32, 56);
  out.refer(36, 56);
  out.refer(40, 64);
  out.vtable(48, 8, {4});
  out.references(56, {88});
  out.references(64, {88, 88});
  out.table(88, 48);
  out.u32(92, 7);
  return out.bytes;
}

// A vector of tables with two vtables between them; the field before it in the root is a number, which leads to the
// first that has the second one.
inline Bytes number_like_reference() {
  Layout out(96);
  out.refer(0, 16);
  out.vtable(4, 12, {4, 8});
  out.table(16, 4);
  out.u32(20, 60);  // 80 is a table
  out.refer(24, 28);
  out.references(28, {64, 72, 80, 88});
  out.vtable(48, 8, {4});
  out.vtable(56, 8, {0, 4});
  for (const std::uint32_t start : {64u, 72u}) out.table(start, 48);
  for (const std::uint32_t start : {80u, 88u}) out.table(start, 56);
  for (const std::uint32_t start : {64u, 72u, 80u, 88u}) out.u32(start + 4, start * 1000 + 1);
  return out.bytes;
}

// Tables of one type with two vtables; each begins within the one before, one where that has a reference.
inline Bytes overlapping_layout() {
  Layout out(148);
  out.refer(0, 20);
  out.vtable(4, 12, {4, 8});
  out.vtable(12, 8, {4});
  out.table(20, 4);
  out.refer(24, 56);  // the tables
  out.refer(28, 80);  // of another type, within the first
  out.vtable(32, 20, {4, 16});
  out.vtable(40, 24, {4, 20, 8});
  out.references(56, {72, 92, 104});
  out.table(72, 32);  // up to 92
  out.u32(76, 5);
  out.table(80, 12);  // up to 88
  out.refer(88, 128);
  out.table(92, 40);  // up to 116
  out.u32(96, 6);
  out.table(104, 40);  // up to 128
  out.refer(112, 128);
  out.refer(124, 128);
  out.text(128, "one for all");
  return out.bytes;
}

// `n_vectors` vectors of `n_elements` references to one text of `length` characters, which is read anew for each. With
// a table before them and `n_more` texts behind, of which nothing is known when the budget ends.
inline Bytes costly_layout(std::uint32_t n_vectors, std::uint32_t n_elements, std::uint32_t length,
                           std::uint32_t n_more = 0) {
  const std::uint32_t n_fields = 1 + n_vectors + n_more;
  const std::uint32_t table = (4 + 4 + 2 * n_fields + 3) / 4 * 4, first = table + 4 + 4 * n_fields + 16;
  const std::uint32_t size = 4 + 4 * n_elements, text = first + n_vectors * size;
  Layout out(text + 4 + length + 4);
  out.refer(0, table);
  out.u16(4, 4 + 2 * n_fields);
  out.u16(6, 4 + 4 * n_fields);
  for (std::uint32_t i = 0; i < n_fields; ++i) out.u16(8 + 2 * i, 4 + 4 * i);
  out.table(table, 4);
  out.refer(table + 4, first - 8);
  out.vtable(first - 16, 8, {4});
  out.table(first - 8, first - 16);
  for (std::uint32_t i = 0; i < n_vectors; ++i) {
    const std::uint32_t vector = first + i * size;
    out.refer(table + 8 + 4 * i, vector);
    out.u32(vector, n_elements);
    for (std::uint32_t k = 0; k < n_elements; ++k) out.refer(vector + 4 + 4 * k, text);
  }
  for (std::uint32_t i = n_vectors + 1; i < n_fields; ++i) out.refer(table + 4 + 4 * i, text);
  out.u32(text, length);
  for (std::uint32_t i = 0; i < length; ++i) out.bytes[text + 4 + i] = std::byte{'a'};
  return out.bytes;
}

// Tables of `n_fields` references, each four bytes behind the one before, which is where that has its first. To look at
// one costs as much as it has bytes, and they have most of them in common.
inline Bytes crowded_layout(std::uint32_t n_tables, std::uint32_t n_fields) {
  const std::uint32_t root = 12, vtable = 20, vector = vtable + (4 + 2 * n_fields + 3) / 4 * 4;
  const std::uint32_t first = vector + 4 + 4 * n_tables, end = first + 4 * (n_tables + n_fields);
  Layout out(2 * end);
  out.refer(0, root);
  out.vtable(4, 8, {4});
  out.table(root, 4);
  out.refer(root + 4, vector);
  out.u16(vtable, 4 + 2 * n_fields);
  out.u16(vtable + 2, 4 + 4 * n_fields);
  for (std::uint32_t i = 0; i < n_fields; ++i) out.u16(vtable + 4 + 2 * i, 4 + 4 * i);
  out.u32(vector, n_tables);
  for (std::uint32_t at = first; at < end; at += 4) out.refer(at, at + 4);
  for (std::uint32_t i = 0; i < n_tables; ++i) {
    out.refer(vector + 4 + 4 * i, first + 4 * i);
    out.table(first + 4 * i, vtable);
  }
  return out.bytes;
}

// What is a text, or a vector, is from its third byte on a vtable as well: two bytes of it are left.
inline Bytes vtable_in_length_layout(bool is_text) {
  constexpr std::uint32_t kAt = 28, kLength = 0x40003, kTable = kAt + 4 + kLength + 1, kTableBytes = 0x0808;
  Layout out(kTable + kTableBytes);
  out.refer(0, 12);
  out.vtable(4, 12, {4, 8});
  out.table(12, 4);
  out.refer(16, kAt);
  out.refer(20, kTable);
  out.u32(kAt, kLength);
  for (std::uint32_t i = 0; i < (is_text ? kLength : 2); ++i) out.bytes[kAt + 4 + i] = std::byte{8};
  out.table(kTable, kAt + 2);  // 04 00 08 08
  return out.bytes;
}

// The same of a vector of references: to one table, whose vtable is elsewhere.
inline Bytes vtable_in_references_layout() {
  constexpr std::uint32_t kAt = 32, kCount = 0x40001, kTable = kAt + 4 + 4 * kCount, kOther = kTable + 8;
  Layout out(kOther + 4);
  out.refer(0, 12);
  out.vtable(4, 12, {4, 8});
  out.table(12, 4);
  out.refer(16, kAt);
  out.refer(20, kOther);
  out.vtable(24, 8, {4});
  out.u32(kAt, kCount);
  for (std::uint32_t i = 0; i < kCount; ++i) out.refer(kAt + 4 + 4 * i, kTable);
  out.table(kTable, 24);
  out.u32(kTable + 4, 0x7f000001);
  out.table(kOther, kAt + 2);  // 04 00 04 00
  return out.bytes;
}

// Tables of one type: the first has room behind it, in the second another table begins.
inline Bytes cut_and_padded_layout() {
  Layout out(88);
  out.refer(0, 12);
  out.vtable(4, 12, {4, 8});
  out.table(12, 4);
  out.refer(16, 44);
  out.refer(20, 80 - 4);
  out.vtable(24, 8, {4});
  out.vtable(32, 10, {4, 8});
  out.references(44, {56u, 68u});
  for (const std::uint32_t at : {56u, 68u}) {
    out.table(at, 32);
    out.u32(at + 4, 0x7f000000 + at);
  }
  out.table(76, 24);
  out.u32(80, 0x7f000007);
  return out.bytes;
}

// A vtable that lies where a table is, which is claimed first.
inline Bytes vtable_in_table_layout() {
  constexpr std::uint32_t kTable = 40, kVTable = kTable + 65532, kOther = kVTable + 8;
  Layout out(kOther + 65540);
  out.refer(0, 16);
  out.vtable(4, 12, {4, 8});
  out.table(16, 4);
  out.refer(20, kTable);
  out.refer(24, kOther);
  out.table(kTable, kVTable);  // 04 00 ff ff: a vtable without fields
  out.vtable(kVTable, 8, {});
  out.table(kOther, kTable);
  return out.bytes;
}

}  // namespace libsync::test
