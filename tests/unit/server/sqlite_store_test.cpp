// sqlite_store.h: what was answered as durable is there, and nothing else is; damage is noticed.
#include "sqlite_store.h"

#include <doctest/doctest.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <random>

using namespace libsync;          // NOLINT(google-build-using-namespace)
using namespace libsync::server;  // NOLINT(google-build-using-namespace)

namespace {

// A folder of its own, gone with the test.
class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "libsync-store-XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string file(const char* name = "state.db") const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

Bytes bytes_of(const std::string& text) {
  const auto* data = reinterpret_cast<const std::byte*>(text.data());
  return {data, data + text.size()};
}

std::unique_ptr<SqliteStore> open_store(const std::string& path, const SqliteStoreOptions& options = {}) {
  auto store = SqliteStore::open(path, options);
  REQUIRE_MESSAGE(store.has_value(), (store ? "" : store.error().detail));
  return std::move(*store);
}

Error open_fails(const std::string& path) {
  const auto store = SqliteStore::open(path);
  REQUIRE_FALSE(store.has_value());
  CHECK(store.error().code == ErrorCode::kStoreUnavailable);
  return store.error();
}

Result<bool> commit(Store& store, std::vector<SaveRecord> records, std::vector<std::string> removed = {}) {
  std::promise<Result<bool>> answer;
  store.commit(std::move(records), std::move(removed),
               [&](Result<bool> result) { answer.set_value(std::move(result)); });
  return answer.get_future().get();
}

std::vector<std::string> keys(Store& store, const std::string& prefix) {
  const auto records = store.load(prefix);
  REQUIRE(records.has_value());
  std::vector<std::string> found;
  for (const SaveRecord& record : *records) found.push_back(record.key);
  return found;
}

void run_sql(const std::string& path, const std::string& sql) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
  CHECK_MESSAGE(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK, sqlite3_errmsg(db));
  sqlite3_close(db);
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// While it lives, files opened with SQLite fail to write or to sync whenever a test says so.
class FaultyDisk {
 public:
  FaultyDisk() {
    original_ = sqlite3_vfs_find(nullptr);
    vfs_ = *original_;
    vfs_.zName = "faulty";
    vfs_.xOpen = [](sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out) {
      const int result = original_->xOpen(original_, name, file, flags, out);
      if (result == SQLITE_OK && file->pMethods != nullptr) file->pMethods = faulty(file->pMethods);
      return result;
    };
    sqlite3_vfs_register(&vfs_, 1);
  }
  ~FaultyDisk() {
    sync_fails = false;
    room_bytes = kRoomy;
    sqlite3_vfs_unregister(&vfs_);
    sqlite3_vfs_register(original_, 1);
  }
  FaultyDisk(const FaultyDisk&) = delete;
  FaultyDisk& operator=(const FaultyDisk&) = delete;

  static inline std::atomic<bool> sync_fails = false;
  static constexpr sqlite3_int64 kRoomy = 1 << 30;
  static inline std::atomic<sqlite3_int64> room_bytes = kRoomy;  // per file

 private:
  // SQLite has one set of methods for files that it locks and another one for those that it does not.
  static inline std::map<const sqlite3_io_methods*, std::unique_ptr<sqlite3_io_methods>> faulty_by_real_;
  static inline std::map<const sqlite3_io_methods*, const sqlite3_io_methods*> real_by_faulty_;
  static const sqlite3_io_methods* real(sqlite3_file* file) { return real_by_faulty_.at(file->pMethods); }

  static const sqlite3_io_methods* faulty(const sqlite3_io_methods* real_methods) {
    auto& methods = faulty_by_real_[real_methods];
    if (methods != nullptr) return methods.get();
    methods = std::make_unique<sqlite3_io_methods>(*real_methods);
    methods->xSync = [](sqlite3_file* f, int how) { return sync_fails ? SQLITE_IOERR_FSYNC : real(f)->xSync(f, how); };
    methods->xWrite = [](sqlite3_file* f, const void* data, int size, sqlite3_int64 at) {
      return at + size > room_bytes ? SQLITE_FULL : real(f)->xWrite(f, data, size, at);
    };
    real_by_faulty_[methods.get()] = real_methods;
    return methods.get();
  }

  static inline sqlite3_vfs* original_ = nullptr;
  sqlite3_vfs vfs_{};
};

// Holds the store's thread inside a `done` until released.
class Brake {
 public:
  explicit Brake(Store& store) {
    store.commit({}, {}, [this](Result<bool>) {
      reached_.set_value();
      released_.get_future().wait();
    });
    reached_.get_future().wait();
  }
  void release() { released_.set_value(); }

 private:
  std::promise<void> reached_, released_;
};

}  // namespace

TEST_CASE("SqliteStore: gives back what was committed, by key, also after it was closed") {
  Folder folder;
  std::string all_bytes;
  for (int i = 0; i < 256; ++i) all_bytes.push_back(static_cast<char>(i));
  const std::vector<SaveRecord> records{{"", bytes_of("no key")},
                                        {"a", {}},
                                        {"b", bytes_of(all_bytes)},
                                        {std::string("b\0c", 3), bytes_of("zero in the key")},
                                        {"big", Bytes(3'000'000, std::byte{7})}};
  {
    const auto store = open_store(folder.file());
    REQUIRE(commit(*store, {records.rbegin(), records.rend()}));
    CHECK(store->load("").value() == records);
  }
  const auto store = open_store(folder.file());
  CHECK(store->load("").value() == records);
}

TEST_CASE("SqliteStore: a commit replaces, and removes in the same transaction") {
  Folder folder;
  const auto store = open_store(folder.file());
  REQUIRE(commit(*store, {{"a", bytes_of("1")}, {"b", bytes_of("1")}}));
  REQUIRE(commit(*store, {{"a", bytes_of("2")}, {"c", bytes_of("2")}}, {"b", "never was"}));
  CHECK(store->load("").value() == std::vector<SaveRecord>{{"a", bytes_of("2")}, {"c", bytes_of("2")}});
}

TEST_CASE("SqliteStore::load: a prefix is bytes, not a pattern") {
  Folder folder;
  const auto store = open_store(folder.file());
  std::vector<SaveRecord> records;
  for (const char* key : {"player/%", "player/_", "player/a", "player0", "player.", "playe", "Player/a", "p%x", "pax",
                          "\xFF", "\xFF\xFF", "\xFF\xFFz", "\xC3\xA9", "\xC3\xAA"}) {
    records.push_back({key, {}});
  }
  REQUIRE(commit(*store, records));
  using Keys = std::vector<std::string>;
  CHECK(keys(*store, "player/") == Keys{"player/%", "player/_", "player/a"});
  CHECK(keys(*store, "player/%") == Keys{"player/%"});
  CHECK(keys(*store, "player/_") == Keys{"player/_"});
  CHECK(keys(*store, "p%") == Keys{"p%x"});
  CHECK(keys(*store, "\xFF\xFF") == Keys{"\xFF\xFF", "\xFF\xFFz"});
  CHECK(keys(*store, "\xFF") == Keys{"\xFF", "\xFF\xFF", "\xFF\xFFz"});
  CHECK(keys(*store, "\xC3\xA9") == Keys{"\xC3\xA9"});
  CHECK(keys(*store, "nothing").empty());
  CHECK(keys(*store, "").size() == records.size());
}

TEST_CASE("SqliteStore: agrees with a map over random commits, loads and restarts") {
  Folder folder;
  auto store = open_store(folder.file());
  std::map<std::string, Bytes> model;
  std::mt19937 random(31);
  for (int round = 0; round < 150; ++round) {
    std::vector<SaveRecord> records;
    std::vector<std::string> removed;
    for (auto i = random() % 6; i > 0; --i) {
      records.push_back(
          {"k" + std::to_string(random() % 20), Bytes(random() % 9000, static_cast<std::byte>(random()))});
    }
    for (auto i = random() % 3; i > 0; --i) removed.push_back("k" + std::to_string(random() % 20));
    for (const SaveRecord& record : records) model[record.key] = record.value;
    for (const std::string& key : removed) model.erase(key);
    store->commit(std::move(records), std::move(removed), [](Result<bool> result) { CHECK(result.has_value()); });
    if (random() % 20 == 0) store.reset(), store = open_store(folder.file());
    if (random() % 4 != 0) continue;
    const auto loaded = store->load("");
    REQUIRE(loaded.has_value());
    REQUIRE(std::equal(loaded->begin(), loaded->end(), model.begin(), model.end(),
                       [](const SaveRecord& a, const auto& b) { return a.key == b.first && a.value == b.second; }));
  }
}

TEST_CASE("SqliteStore: commits end in the order they were asked for, all of them before it is closed") {
  Folder folder;
  std::vector<int> ended;
  {
    const auto store = open_store(folder.file());
    for (int i = 0; i < 300; ++i) {
      store->commit({{"key", bytes_of(std::to_string(i))}}, {}, [&ended, i](Result<bool> result) {
        CHECK(result.has_value());
        ended.push_back(i);
      });
    }
  }
  REQUIRE(ended.size() == 300);
  CHECK(std::is_sorted(ended.begin(), ended.end()));
  CHECK(open_store(folder.file())->load("key").value()[0].value == bytes_of("299"));
}

TEST_CASE("SqliteStore: beyond its bounds it refuses commits, in their turn, and accepts again later") {
  Folder folder;
  SqliteStoreOptions options;
  options.max_queued_commits = 3;
  options.max_queued_bytes = 1000;
  const auto store = open_store(folder.file(), options);
  Brake brake(*store);
  std::vector<std::string> ended;
  const auto ask = [&](const std::string& key, std::size_t size) {
    store->commit({{key, Bytes(size)}}, {}, [&ended, key](Result<bool> result) {
      CHECK((result || result.error().code == ErrorCode::kStoreUnavailable));
      ended.push_back(key + (result ? " yes" : " no"));
    });
  };
  ask("a", 10);
  ask("b", 990);  // bytes
  ask("c", 10);
  ask("d", 10);
  ask("e", 10);  // number
  brake.release();
  CHECK(keys(*store, "") == std::vector<std::string>{"a", "c", "d"});
  CHECK(ended == std::vector<std::string>{"a yes", "b no", "c yes", "d yes", "e no"});
  CHECK(commit(*store, {{"e", {}}}));
}

TEST_CASE("SqliteStore: a second opener is refused, in this process and in another one") {
  Folder folder;
  {
    const auto store = open_store(folder.file());
    CHECK(has(open_fails(folder.file()).detail, "in use by another process"));
    const pid_t child = fork();
    if (child == 0) _exit(SqliteStore::open(folder.file()).has_value() ? 1 : 0);
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    CHECK(commit(*store, {{"a", {}}}));
  }
  CHECK(keys(*open_store(folder.file()), "").size() == 1);
}

TEST_CASE("SqliteStore: what was answered survives the sudden end of the process") {
  Folder folder;
  int pipe_ends[2];
  REQUIRE(pipe(pipe_ends) == 0);
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);  // whatever goes wrong, the child ends
    auto store = SqliteStore::open(folder.file());
    if (!store) _exit(3);
    for (int i = 0; i < 500; ++i) {
      (*store)->commit({{"last", bytes_of(std::to_string(i))}, {"k" + std::to_string(i), Bytes(5000)}}, {},
                       [i, end = pipe_ends[1]](Result<bool> result) {
                         if (result && write(end, &i, sizeof i) < 0) _exit(2);
                         if (i == 200) _exit(0);  // no destructor runs
                       });
    }
    for (;;) pause();
  }
  close(pipe_ends[1]);
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(status == 0);
  int answered = -1;
  for (int i = 0; read(pipe_ends[0], &i, sizeof i) == sizeof i;) answered = i;
  close(pipe_ends[0]);
  REQUIRE(answered == 200);

  const auto store = open_store(folder.file());
  const auto last = store->load("last").value();
  REQUIRE(last.size() == 1);
  const int found = std::stoi(std::string(reinterpret_cast<const char*>(last[0].value.data()), last[0].value.size()));
  CHECK(found >= answered);
  CHECK(keys(*store, "k").size() == static_cast<std::size_t>(found) + 1);
}

TEST_CASE("SqliteStore: a wrong value, key or checksum in the file is noticed at load, and named") {
  const std::vector<std::string> damages{"UPDATE record SET value = x'00' WHERE key = 'player/bob'",
                                         "UPDATE record SET key = 'player/eve' WHERE key = 'player/bob'",
                                         "UPDATE record SET checksum = checksum + 1 WHERE key = 'player/bob'"};
  for (const std::string& damage : damages) {
    Folder folder;
    REQUIRE(commit(*open_store(folder.file()), {{"player/alice", bytes_of("a")}, {"player/bob", bytes_of("b")}}));
    run_sql(folder.file(), damage);
    const auto store = open_store(folder.file());
    const auto loaded = store->load("player/");
    REQUIRE_FALSE(loaded.has_value());
    CHECK(loaded.error().code == ErrorCode::kStoreUnavailable);
    CHECK(has(loaded.error().detail, "checksum"));
    CHECK(store->load("player/alice").has_value());
  }
}

TEST_CASE("SqliteStore: garbage written over any page of the file is noticed, at the opening or at load") {
  Folder folder;
  std::vector<SaveRecord> records;
  for (int i = 0; i < 20; ++i) records.push_back({"k" + std::to_string(i), Bytes(3000, static_cast<std::byte>(i + 1))});
  REQUIRE(commit(*open_store(folder.file()), records));
  const auto size = std::filesystem::file_size(folder.file());
  REQUIRE(size >= 20 * 3000);
  for (std::uintmax_t at = 600; at < size; at += 4096) {
    CAPTURE(at);
    std::filesystem::copy_file(folder.file(), folder.file("bad.db"), std::filesystem::copy_options::overwrite_existing);
    {
      std::fstream file(folder.file("bad.db"), std::ios::in | std::ios::out | std::ios::binary);
      file.seekp(static_cast<std::streamoff>(at));
      file << std::string(3000, '\xA5');
    }
    auto store = SqliteStore::open(folder.file("bad.db"));
    if (!store) continue;
    const auto loaded = (*store)->load("");
    // Where a page is mostly free, garbage may hit nothing that counts; then all must be as it was.
    if (loaded) CHECK(loaded.value().size() == records.size());
    if (loaded)
      CHECK(std::all_of(loaded->begin(), loaded->end(), [](const SaveRecord& record) {
        return record.value == Bytes(3000, static_cast<std::byte>(std::stoi(record.key.substr(1)) + 1));
      }));
  }
}

TEST_CASE("SqliteStore: refuses files that are no store, or one of a later version, and leaves them as they are") {
  Folder folder;
  std::ofstream(folder.file("text.db")) << std::string(5000, 'x');
  open_fails(folder.file("text.db"));
  run_sql(folder.file("other.db"), "CREATE TABLE t(x)");
  CHECK(has(open_fails(folder.file("other.db")).detail, "not a store"));
  open_store(folder.file());
  run_sql(folder.file(), "PRAGMA user_version=2");
  CHECK(has(open_fails(folder.file()).detail, "schema version 2"));
  open_fails(folder.file("no/such/folder.db"));
  open_fails("");
  open_fails(":memory:");
}

TEST_CASE("SqliteStore: after a failed fsync it accepts nothing more, and reopened it has what it had answered") {
  Folder folder;
  {
    FaultyDisk disk;
    const auto store = open_store(folder.file());
    REQUIRE(commit(*store, {{"a", bytes_of("1")}}));
    FaultyDisk::sync_fails = true;
    const auto failed = commit(*store, {{"a", bytes_of("2")}});
    REQUIRE_FALSE(failed.has_value());
    CHECK(failed.error().code == ErrorCode::kStoreUnavailable);
    FaultyDisk::sync_fails = false;
    const auto later = commit(*store, {{"b", bytes_of("3")}});
    REQUIRE_FALSE(later.has_value());
    CHECK(has(later.error().detail, "stopped"));
    CHECK_FALSE(store->load("").has_value());
  }
  const auto store = open_store(folder.file());
  const auto loaded = store->load("").value();
  REQUIRE(loaded.size() == 1);  // "2" was written and not synced: either value is right
  CHECK(loaded[0].key == "a");
  CHECK(commit(*store, {{"b", bytes_of("3")}}));
}

TEST_CASE("SqliteStore: a failed checkpoint stops it too") {
  Folder folder;
  FaultyDisk disk;
  const auto store = open_store(folder.file());
  // The log is large enough for a checkpoint after this commit; only the checkpoint meets the fault.
  std::promise<void> answered;
  store->commit({{"big", Bytes(6'000'000)}}, {}, [&](Result<bool> result) {
    CHECK(result.has_value());
    FaultyDisk::sync_fails = true;
    answered.set_value();
  });
  answered.get_future().wait();
  const auto later = commit(*store, {{"b", {}}});
  FaultyDisk::sync_fails = false;
  REQUIRE_FALSE(later.has_value());
  CHECK(has(later.error().detail, "checkpoint"));
}

TEST_CASE("SqliteStore: a full disk refuses the commit, writes nothing, and is no end") {
  Folder folder;
  FaultyDisk disk;
  const auto store = open_store(folder.file());
  REQUIRE(commit(*store, {{"a", bytes_of("1")}}));
  FaultyDisk::room_bytes = 4096;
  CHECK_FALSE(commit(*store, {{"a", bytes_of("2")}, {"b", Bytes(100'000)}}).has_value());
  FaultyDisk::room_bytes = FaultyDisk::kRoomy;
  CHECK(store->load("").value() == std::vector<SaveRecord>{{"a", bytes_of("1")}});
  CHECK(commit(*store, {{"a", bytes_of("3")}}));
  CHECK(store->load("").value() == std::vector<SaveRecord>{{"a", bytes_of("3")}});
}

TEST_CASE("SqliteStore: a commit too large for the disk does not harm those in its group") {
  Folder folder;
  FaultyDisk disk;
  const auto store = open_store(folder.file());
  Brake brake(*store);
  FaultyDisk::room_bytes = 200'000;
  std::string ended;
  const auto note = [&](Result<bool> result) { ended += result ? "y" : "n"; };
  store->commit({{"a", bytes_of("1")}}, {}, note);
  store->commit({{"b", bytes_of("2")}, {"large", Bytes(500'000)}}, {}, note);
  store->commit({{"c", bytes_of("3")}}, {}, note);
  brake.release();
  CHECK(keys(*store, "") == std::vector<std::string>{"a", "c"});
  CHECK(ended == "yny");
}

TEST_CASE("SqliteStore: a record that is too large refuses its whole commit, and no other one") {
  Folder folder;
  SqliteStoreOptions options;
  options.max_record_bytes = 100'000;
  const auto store = open_store(folder.file(), options);
  CHECK_FALSE(commit(*store, {{"a", bytes_of("1")}, {"large", Bytes(100'001)}, {"b", bytes_of("1")}}).has_value());
  CHECK(keys(*store, "").empty());
  CHECK(commit(*store, {{"c", Bytes(99'000)}}));
  CHECK(keys(*store, "") == std::vector<std::string>{"c"});
}
