#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "engine/base/error.h"
#include "ns-launcher/supervisor.h"

namespace nsr::launcher {
namespace {

/// Descriptors 0 to 2 that the caller closed are filled until the engine's exec, so that none of ours gets such a
/// number.
void fill_standard_descriptors() {
  int fd;
  do {
    fd = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  } while (fd >= 0 && fd <= 2);
  if (fd > 2) ::close(fd);
}

/// The engine alone, in our place.
[[noreturn]] void exec_engine(const Options& options) {
  const std::string engine = find_engine(options.engine);
  std::vector<std::string> command = engine_command(options, {}, -1, -1);
  std::vector<char*> argv;
  for (std::string& word : command) argv.push_back(word.data());
  argv.push_back(nullptr);
  ::execv(engine.c_str(), argv.data());
  throw_errno(Failure::environment, engine, "cannot be executed", errno, "name the engine with --engine");
}

int restore(const Options& options) {
  Pidfiles pidfiles(options.files_dir());
  pidfiles.require_absent(options.pidfile);
  pidfiles.require_absent(options.ns_pidfile);
  const ImageIds ids = read_image_ids(options.images_dir.c_str());
  Terminal terminal;
  if (options.shell_job && !options.detached) terminal = Terminal::open();
  const CallerSignals signals = take_signals();
  Started started = launch(options, ids, signals.mask);
  return Supervisor(options, signals, std::move(terminal), std::move(started)).run();
}

int run(const std::vector<std::string>& words) {
  const Options options = parse_options(words);
  if (options.help) {
    std::fputs(help_text, stdout);
    return 0;
  }
  if (options.version) {
    std::puts("ns-restore " NSR_VERSION);
    return 0;
  }
  fill_standard_descriptors();
  if (options.plan) exec_engine(options);
  return restore(options);
}

}  // namespace
}  // namespace nsr::launcher

int main(int argc, char** argv) {
  try {
    return nsr::launcher::run({argv + 1, argv + argc});
  } catch (const nsr::Error& error) {
    std::fprintf(stderr, "ns-restore: %s\n", error.what());
    return error.exit_code();
  }
}
