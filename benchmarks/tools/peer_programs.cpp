// peer_programs.cpp: coders that exist as programs only: bytes are measured, time is not.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>

#include "peers.h"

extern char** environ;

namespace libsync::tools {
namespace {

namespace fs = std::filesystem;
using Command = std::vector<std::string>;

// Runs a program found in PATH, silently. Its exit code, or -1 when it could not be started.
int run(const Command& command) {
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (const int output : {STDOUT_FILENO, STDERR_FILENO}) {
    posix_spawn_file_actions_addopen(&actions, output, "/dev/null", O_WRONLY, 0);
  }
  pid_t child = 0;
  const int error = ::posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  if (error != 0 || ::waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status) == 127 ? -1 : WEXITSTATUS(status);
}

bool write_file(const fs::path& path, BytesView bytes) {
  std::FILE* const file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) return false;
  const bool written = std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
  return std::fclose(file) == 0 && written;
}

bool read_file(const fs::path& path, Bytes& bytes) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  std::FILE* const file = error ? nullptr : std::fopen(path.c_str(), "rb");
  if (file == nullptr) return false;
  bytes.resize(size);
  const bool read = std::fread(bytes.data(), 1, size, file) == size;
  std::fclose(file);
  return read;
}

// Files "old", "new", "patch" and "made" in a folder of their own, gone with this object.
class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "libsync-replay-XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) path_ = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  std::string operator/(const char* name) const { return (path_ / name).string(); }

 private:
  fs::path path_;
};

class Program final : public PairCoder {
 public:
  using Arguments = std::function<Command(const Folder&)>;
  Program(std::string name, Arguments encode, Arguments apply)
      : name_(std::move(name)), encode_(std::move(encode)), apply_(std::move(apply)) {}

  std::string name() const override { return name_; }
  bool is_timed() const override { return false; }

  bool encode(Bytes& patch) override {
    return write_file(folder_ / "old", baseline_) && write_file(folder_ / "new", target_) &&
           run(encode_(folder_)) == 0 && read_file(folder_ / "patch", patch);
  }
  bool apply(BytesView) override { return run(apply_(folder_)) == 0 && read_file(folder_ / "made", result_); }

 private:
  std::string name_;
  Arguments encode_, apply_;
  Folder folder_;
};

// Without a checksum and the names of the files; the window (a power of two, 64 MiB by default) holds the baseline.
Command xdelta3_encode(const Folder& folder) {
  return {"xdelta3", "-e", "-f",       "-q", "-9",           "-S",           "djw",           "-A",
          "-n",      "-B", "16777216", "-s", folder / "old", folder / "new", folder / "patch"};
}
Command xdelta3_apply(const Folder& folder) {
  return {"xdelta3", "-d", "-f", "-q", "-B", "16777216", "-s", folder / "old", folder / "patch", folder / "made"};
}
Command bsdiff_encode(const Folder& folder) { return {"bsdiff", folder / "old", folder / "new", folder / "patch"}; }
Command bsdiff_apply(const Folder& folder) { return {"bspatch", folder / "old", folder / "made", folder / "patch"}; }

}  // namespace

void add_programs(Peers& peers) {
  if (run({"xdelta3", "-V"}) >= 0) {
    peers.coders.push_back(std::make_unique<Program>("xdelta3 -9 djw", xdelta3_encode, xdelta3_apply));
  } else {
    peers.missing.push_back("xdelta3: no such program");
  }
  if (run({"bsdiff"}) >= 0) {
    peers.coders.push_back(std::make_unique<Program>("bsdiff", bsdiff_encode, bsdiff_apply));
  } else {
    peers.missing.push_back("bsdiff: no such program");
  }
}

}  // namespace libsync::tools
