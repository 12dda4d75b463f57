// trace_writer.h: records the successive snapshots of your own server in a file for libsync-replay. This header alone
// is enough: C++17, no other file of libsync.
//
//   libsync::TraceWriter trace("world.fbtrace", 256 << 20);      // at most 256 MiB
//   trace.write(builder.GetBufferPointer(), builder.GetSize());  // per tick, after Finish()
//   if (!trace.close()) log(trace.error());
//
// File: 8 bytes "FBTRACE1", u32 number of snapshots, u32 zero, then per snapshot u32 length and that many bytes, one
// finished FlatBuffer; little-endian. The number is written by close(); a file that was not closed says 0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <string>

namespace libsync {

// One writer, one file, one thread. Writes through stdio, so a tick waits for the disk now and then.
class TraceWriter {
 public:
  // Replaces the file. `max_file_bytes`: a snapshot that would not fit is not written and write() says so; what was
  // written before stays good.
  explicit TraceWriter(const std::string& path,
                       std::uint64_t max_file_bytes = std::numeric_limits<std::uint64_t>::max())
      : path_(path), max_file_bytes_(max_file_bytes), file_(std::fopen(path.c_str(), "wb")) {
    if (file_ == nullptr) {
      fail("cannot create");
    } else if (std::fwrite("FBTRACE1\0\0\0\0\0\0\0\0", 1, kHeaderBytes, file_) != kHeaderBytes) {
      fail("cannot write to");
    }
  }
  TraceWriter(const TraceWriter&) = delete;
  TraceWriter& operator=(const TraceWriter&) = delete;
  ~TraceWriter() { close(); }

  // Appends one snapshot. False when nothing was written: after an error, which error() tells, or when the file is
  // full. Requires: `data` has `size` bytes.
  bool write(const void* data, std::size_t size) {
    if (file_ == nullptr || !error_.empty() || full_) return false;
    if (size > std::numeric_limits<std::uint32_t>::max()) return fail("snapshot above 4 GiB for");
    const std::uint64_t needed = std::uint64_t{4} + size;
    if (count_ == std::numeric_limits<std::uint32_t>::max() || file_bytes_ > max_file_bytes_ ||
        needed > max_file_bytes_ - file_bytes_) {
      full_ = true;
      return false;
    }
    if (!write_u32(static_cast<std::uint32_t>(size)) || (size > 0 && std::fwrite(data, 1, size, file_) != size)) {
      return fail("cannot write to");
    }
    ++count_;
    file_bytes_ += needed;
    return true;
  }

  // Writes the number of snapshots and closes the file; a second call does nothing. False after any error, now or
  // before.
  bool close() {
    if (file_ == nullptr) return error_.empty();
    if (error_.empty() && (std::fseek(file_, kCountOffset, SEEK_SET) != 0 || !write_u32(count_))) {
      fail("cannot write to");
    }
    if (std::fclose(file_) != 0) fail("cannot write to");
    file_ = nullptr;
    return error_.empty();
  }

  std::uint32_t count() const { return count_; }
  std::uint64_t file_bytes() const { return file_bytes_; }
  bool is_full() const { return full_; }
  // Empty: all went well so far.
  const std::string& error() const { return error_; }

 private:
  static constexpr std::size_t kHeaderBytes = 16;
  static constexpr long kCountOffset = 8;

  bool write_u32(std::uint32_t value) {
    unsigned char bytes[4];
    for (int i = 0; i < 4; ++i) bytes[i] = static_cast<unsigned char>(value >> (8 * i));
    return std::fwrite(bytes, 1, sizeof bytes, file_) == sizeof bytes;
  }
  // The first error is kept.
  bool fail(const char* what) {
    if (error_.empty()) error_ = std::string("trace: ") + what + " " + path_;
    return false;
  }

  std::string path_;
  std::uint64_t max_file_bytes_;
  std::FILE* file_;
  std::uint64_t file_bytes_ = kHeaderBytes;
  std::uint32_t count_ = 0;
  bool full_ = false;
  std::string error_;
};

}  // namespace libsync
