// libsync-sim: runs seeded schedules, see simulation.h.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "simulation.h"

namespace {

using namespace libsync;
using namespace libsync::sim;

constexpr const char* kUsage =
    "libsync-sim [--schedules N] [--seed S] [--threads T] [--trace]\n"
    "\n"
    "Runs N simulated schedules (1000) with the seeds S, S+1 ... (1) and checks what must hold after every step.\n"
    "A violation is printed with its seed, made shorter, and the command that repeats it. --trace: prints what "
    "happens.\n"
    "Last line: \"N schedules, V violations\". Exit status 1 if V > 0.\n";

std::uint64_t number(const char* text) {
  char* end = nullptr;
  const std::uint64_t value = std::strtoull(text, &end, 10);
  if (*text < '0' || *text > '9' || *end != '\0') {
    std::fprintf(stderr, "libsync-sim: \"%s\" is no number\n", text);
    std::exit(2);
  }
  return value;
}

// Leaves out faults and actions as long as something is still violated.
Schedule shrink(Schedule schedule) {
  for (bool is_smaller = true; is_smaller;) {
    is_smaller = false;
    for (std::size_t i = schedule.faults.size() + schedule.acts.size(); i-- > 0;) {
      Schedule less = schedule;
      if (i < less.faults.size()) {
        less.faults.erase(less.faults.begin() + static_cast<std::ptrdiff_t>(i));
      } else {
        less.acts.erase(less.acts.begin() + static_cast<std::ptrdiff_t>(i - less.faults.size()));
      }
      if (Simulation(less).run().violation.empty()) continue;
      schedule = std::move(less);
      is_smaller = true;
    }
  }
  return schedule;
}

void report(const Schedule& schedule, const std::string& violation) {
  std::printf("seed %llu: %s\n", static_cast<unsigned long long>(schedule.seed), violation.c_str());
  const Schedule small = shrink(schedule);
  std::printf("  shortest: %zu clients, %zu actions:", small.n_clients, small.acts.size());
  for (const Fault& fault : small.faults) {
    std::printf(" %s of %zu at %.3f s;", name_of(fault.kind), fault.client,
                static_cast<double>(fault.at.count()) / 1e6);
  }
  std::printf(" %s\n  repeat: libsync-sim --schedules 1 --seed %llu --trace\n",
              Simulation(small).run().violation.c_str(), static_cast<unsigned long long>(schedule.seed));
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t n_schedules = 1000, seed = 1;
  std::size_t n_threads = std::max(1u, std::thread::hardware_concurrency());
  bool traces = false;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    const bool has_value = i + 1 < argc;
    if (option == "--schedules" && has_value) {
      n_schedules = number(argv[++i]);
    } else if (option == "--seed" && has_value) {
      seed = number(argv[++i]);
    } else if (option == "--threads" && has_value) {
      n_threads = std::max<std::size_t>(number(argv[++i]), 1);
    } else if (option == "--trace") {
      traces = true;
    } else {
      std::fputs(kUsage, option == "--help" ? stdout : stderr);
      return option == "--help" ? 0 : 2;
    }
  }
  if (traces) n_threads = 1;

  std::atomic<std::uint64_t> next = 0, n_violations = 0, deliveries = 0, executed = 0, simulated_us = 0;
  std::vector<std::uint32_t> per_schedule(n_schedules);
  std::mutex mutex;
  const auto started = std::chrono::steady_clock::now();
  const auto work = [&] {
    for (std::uint64_t i = next++; i < n_schedules; i = next++) {
      const Schedule schedule = Schedule::from_seed(seed + i);
      const Outcome outcome = Simulation(schedule, traces).run();
      per_schedule[i] = static_cast<std::uint32_t>(outcome.deliveries);
      deliveries += outcome.deliveries;
      executed += outcome.executed;
      simulated_us += static_cast<std::uint64_t>(outcome.simulated.count());
      if (outcome.violation.empty()) continue;
      const std::lock_guard lock(mutex);
      if (++n_violations <= 5) report(schedule, outcome.violation);
    }
  };
  std::vector<std::thread> threads;
  for (std::size_t i = 1; i < n_threads; ++i) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();

  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  std::sort(per_schedule.begin(), per_schedule.end());
  std::printf(
      "%.1f s, %.0f schedules a second, %llu messages delivered (median %u a schedule), %llu actions executed, %.1f "
      "simulated s each\n",
      seconds, static_cast<double>(n_schedules) / seconds, static_cast<unsigned long long>(deliveries.load()),
      per_schedule.empty() ? 0 : per_schedule[per_schedule.size() / 2],
      static_cast<unsigned long long>(executed.load()),
      static_cast<double>(simulated_us.load()) / 1e6 / static_cast<double>(std::max<std::uint64_t>(n_schedules, 1)));
  std::printf("%llu schedules, %llu violations\n", static_cast<unsigned long long>(n_schedules),
              static_cast<unsigned long long>(n_violations.load()));
  return n_violations == 0 ? 0 : 1;
}
