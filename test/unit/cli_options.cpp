#include <catch2/catch.hpp>
#include <map>

#include "engine/cli/config_file.h"
#include "engine/cli/normalise.h"
#include "engine/cli/option_table.h"
#include "engine/cli/parse.h"
#include "engine/cli/values.h"

using namespace nsr;
using Strings = std::vector<std::string>;

namespace {

/// A world of files and variables made of maps.
struct World {
  std::map<std::string, std::string> files, variables;
  Surroundings around() const {
    auto find = [](const auto& map, const std::string& key) {
      auto at = map.find(key);
      return at == map.end() ? std::nullopt : std::optional<std::string>(at->second);
    };
    return {[this, find](const std::string& name) { return find(variables, name); },
            [this, find](const std::string& path) { return find(files, path); }};
  }
  Options parse(const Strings& args) const { return std::get<Options>(parse_options(args, around())); }
  ShowOnly show(const Strings& args) const { return std::get<ShowOnly>(parse_options(args, around())); }
  /// Exit status of a command line that does not get as far as the command; -1 when it does.
  int status(const Strings& args) const {
    try {
      parse_options(args, around());
      return -1;
    } catch (const Error& e) {
      return e.exit_code();
    }
  }
};

Options apply(const Strings& canonical) {
  Options options;
  apply_options(canonical, options);
  return options;
}

}  // namespace

TEST_CASE("cli: normalise permutes words and options") {
  Normalised n = normalise({"-D", "dir", "dump", "-t", "5", "-j"});
  CHECK(n.options == Strings{"--images-dir=dir", "--tree=5", "--shell-job"});
  CHECK(n.words == Strings{"dump"});
  CHECK_FALSE(n.error);
}

TEST_CASE("cli: normalise takes letters in bundles and with attached values") {
  CHECK(normalise({"-jv4"}).options == Strings{"--shell-job", "--verbosity=4"});
  CHECK(normalise({"-dj"}).options == Strings{"--restore-detached", "--shell-job"});
  CHECK(normalise({"-Ddir", "-olog"}).options == Strings{"--images-dir=dir", "--log-file=log"});
  CHECK(normalise({"-vvv"}).options == Strings{"--verbosity=vv"});
  CHECK(normalise({"-v", "4"}).options == Strings{"--verbosity"});
  CHECK(normalise({"-v", "4"}).words == Strings{"4"});
  CHECK(normalise({"-verbosity=0"}).options == Strings{"--verbosity=erbosity=0"});
  CHECK(normalise({"-x7,8"}).options == Strings{"--ext-unix-sk=7,8"});
}

TEST_CASE("cli: normalise completes unique beginnings") {
  CHECK(normalise({"--versio"}).options == Strings{"--version"});
  CHECK(normalise({"--restore-d"}).options == Strings{"--restore-detached"});
  CHECK(normalise({"--no-default"}).options == Strings{"--no-default-config"});
  CHECK(normalise({"--tls"}).options == Strings{"--tls"});  // exact, although --tls-key begins so
  CHECK(normalise({"--no-tcp-e"}).options == Strings{"--no-tcp-established"});
  CHECK(normalise({"--d"}).error);
  CHECK(normalise({"--ext"}).error);
  CHECK(normalise({"--launch=3"}).error);  // hidden options are never completed
}

TEST_CASE("cli: normalise gives optional values only when they are attached") {
  CHECK(normalise({"--manage-cgroups", "full"}).options == Strings{"--manage-cgroups"});
  CHECK(normalise({"--manage-cgroups=full"}).options == Strings{"--manage-cgroups=full"});
  CHECK(normalise({"--timeout", "7"}).options == Strings{"--timeout=7"});
}

TEST_CASE("cli: normalise leaves everything behind -- alone") {
  Normalised n = normalise({"restore", "--exec-cmd", "--", "ls", "-l", "--help"});
  CHECK(n.options == Strings{"--exec-cmd"});
  CHECK(n.words == Strings{"restore", "ls", "-l", "--help"});
}

TEST_CASE("cli: normalise reports the first slip and goes on") {
  Normalised n = normalise({"-j", "--nonsense", "--root="});
  REQUIRE(n.error);
  CHECK(std::string(n.error->what()).find("--nonsense") != std::string::npos);
  CHECK(n.options_before_error == 1);
  CHECK(normalise({"--shell-job=1"}).error);
  CHECK(normalise({"-t"}).error);
  CHECK(normalise({"-q"}).error);
}

TEST_CASE("cli: --help wins over every slip, --version acts when reached") {
  World w;
  CHECK(w.show({"--nonsense", "dump", "-h"}) == ShowOnly::help);
  CHECK(w.show({"-V", "--nonsense"}) == ShowOnly::version);
  CHECK(w.status({"--nonsense", "-V"}) == 1);
  CHECK(w.show({"-V", "-h"}) == ShowOnly::help);
}

TEST_CASE("cli: the later of --x and --no-x wins") {
  CHECK(apply({"--tcp-established", "--no-tcp-established"}).files.tcp_established == false);
  CHECK(apply({"--no-tcp-established", "--tcp-established"}).files.tcp_established == true);
  CHECK(apply({"--no-ghost-fiemap"}).files.ghost_fiemap == false);
  CHECK(apply({"--tls-no-cn-verify"}).memory.tls_verify_name == false);
  CHECK(apply({"--no-tls-no-cn-verify"}).memory.tls_verify_name == true);
}

TEST_CASE("cli: verbosity") {
  CHECK(verbosity_value("", 2) == 3);
  CHECK(verbosity_value("v", 2) == 4);
  CHECK(verbosity_value("4", 2) == 4);
  CHECK(verbosity_value("0", 2) == 0);
  CHECK(verbosity_value("9", 2) == 4);
  CHECK(verbosity_value("erbosity=0", 2) == 0);
}

TEST_CASE("cli: every option of the table has an effect or a slip, never none") {
  for (const OptionSpec& o : option_table()) {
    Strings spelled{std::string("--") + o.name};
    if (o.takes == Takes::value) spelled[0] += "=1";
    try {
      apply(spelled);
    } catch (const UsageError&) {
    } catch (const Error& e) {
      FAIL(e.what());
    }
  }
}

TEST_CASE("cli: values") {
  CHECK(size_value("ghost-limit", "64K") == 65536);
  CHECK(size_value("ghost-limit", "2G") == uint64_t{2} << 30);
  CHECK_THROWS_AS(size_value("ghost-limit", "18446744073709551615K"), UsageError);
  CHECK_THROWS_AS(size_value("ghost-limit", "1X"), UsageError);
  CHECK(inherit_fd_value("fd[5]:pipe:[77]") == std::pair<std::string, int>("pipe:[77]", 5));
  CHECK_THROWS_AS(inherit_fd_value("fd[x]:a"), UsageError);
  CHECK_THROWS_AS(inherit_fd_value("fd[1]:"), UsageError);
  CHECK(cpu_cap_value("") == CpuCap::all);
  CHECK(cpu_cap_value("none") == CpuCap::none);
  CHECK(cpu_cap_value("all,^fpu") == (CpuCap::all & ~CpuCap::fpu));
  CHECK(join_ns_value("net:12").source == "/proc/12/ns/net");
  CHECK(join_ns_value("user:/run/ns,1,2").extra == "1,2");
  CHECK_THROWS_AS(join_ns_value("pid:12"), UsageError);
  CHECK(cgroup_root_value("cpu:/a").controller == "cpu");
  CHECK(cgroup_root_value("/a:b").path == "/a:b");
  CHECK(external_of_mount_map("/a:b") == "mnt[/a]:b");
  CHECK(external_of_mount_map("auto") == "mnt[]");
}

TEST_CASE("cli: numbers out of range name option and value") {
  World w;
  CHECK(w.status({"dump", "-t", "0"}) == 1);
  CHECK(w.status({"dump", "-t", "abc"}) == 1);
  CHECK(w.status({"dump", "-t", "5", "--port", "0"}) == 1);
  try {
    w.parse({"dump", "-t", "abc"});
  } catch (const UsageError& e) {
    CHECK(std::string(e.what()).find("--tree: cannot take \"abc\"") != std::string::npos);
    CHECK_FALSE(e.show_usage());
  }
}

TEST_CASE("cli: words and commands") {
  World w;
  CHECK(w.status({}) == 1);
  CHECK(w.status({"foo"}) == 1);
  CHECK(w.status({"dump"}) == 1);
  CHECK(w.status({"dump", "-t", "5", "extra"}) == 1);
  CHECK(w.status({"swrk"}) == 1);
  CHECK(w.status({"swrk", "3", "4"}) == 1);
  CHECK(w.status({"cpuinfo", "look"}) == 1);
  CHECK(w.status({"check", "--ms"}) == 1);
  CHECK(w.status({"exec"}) == 1);
  CHECK(w.status({"restore", "-S"}) == 1);
  CHECK(w.status({"restore", "--exec-cmd"}) == 1);
  CHECK(w.status({"restore", "-d", "--exec-cmd", "--", "ls"}) == 1);
  CHECK(w.status({"dump", "-t", "5", "--inherit-fd", "fd[1]:x"}) == 1);
  CHECK(w.parse({"-j", "dump", "-t", "5", "-R"}).target.leave_running);
  CHECK(w.parse({"restore", "-d", "-S"}).restore.sibling);
}

TEST_CASE("cli: what is not built is refused by name where it matters, accepted elsewhere") {
  World w;
  CHECK(w.status({"service"}) == 9);
  CHECK(w.status({"restore", "--allow-uprobes"}) == 9);
  CHECK(w.parse({"dump", "-t", "5", "--weak-sysctls"}).target.tree == 5);
  CHECK(w.parse({"restore", "--manage-cgroups=ignore"}).run.cgroups.mode == CgroupMode::ignore);
  CHECK(w.parse({"restore", "--weak-sysctls", "--no-weak-sysctls"}).restore.weak_sysctls == false);
}

TEST_CASE("cli: configuration files") {
  CHECK(parse_config("  shell-job  \n# no\n\nlog-file \"a b\\\"c\" rest\n", "f") ==
        Strings{"--shell-job", "--log-file=a b\"c"});
  CHECK(parse_config("work-dir=/x#y\nimages-dir\t/d trailing\n", "f") == Strings{"--work-dir=/x", "--images-dir=/d"});
  CHECK(parse_config("manage-cgroups full\nmanage-cgroups=full\n", "f") ==
        Strings{"--manage-cgroups", "--manage-cgroups=full"});
  CHECK(parse_config("no-tcp-established # why\n", "f") == Strings{"--no-tcp-established"});
  CHECK_THROWS_AS(parse_config("log-file \"open\n", "f"), UsageError);
  CHECK_THROWS_AS(parse_config("\"\n", "f"), UsageError);
  CHECK_THROWS_AS(parse_config("D x\n", "f"), UsageError);
  CHECK_THROWS_AS(parse_config("log-file\n", "f"), UsageError);
  CHECK_THROWS_WITH(parse_config("shell-job\n\nnonsense 1\n", "my.conf"), Catch::Contains("my.conf line 3"));
}

TEST_CASE("cli: order of configuration sources") {
  World w;
  w.variables = {{"HOME", "/h"}, {"CRIU_CONFIG_FILE", "/env"}};
  w.files = {{"/etc/criu/default.conf", "timeout 1\nshell-job\n"}, {"/h/.criu/default.conf", "timeout 2\n"}};
  CHECK(w.parse({"check"}).target.timeout_seconds == 2);
  CHECK(w.parse({"check"}).files.shell_job);
  w.files["/env"] = "timeout 3\n";
  w.files["/given"] = "timeout 4\n";
  CHECK(w.parse({"check"}).target.timeout_seconds == 3);
  CHECK(w.parse({"check", "--config", "/given"}).target.timeout_seconds == 4);
  CHECK_FALSE(w.parse({"check", "--config", "/given"}).files.shell_job);
  CHECK(w.parse({"check", "--config", "/given", "--timeout", "5"}).target.timeout_seconds == 5);
  CHECK(w.parse({"check", "--no-default-config"}).target.timeout_seconds == 3);
  CHECK(w.parse({"check", "--config", "/not/there"}).target.timeout_seconds == 3);
  w.files["/env"] = "version\n";
  CHECK(w.show({"check"}) == ShowOnly::version);
}

TEST_CASE("cli: environment") {
  World w;
  w.variables = {{"CRIU_DEPRECATED", "1"}, {"CRIU_LIBS_DIR", "/l"}};
  CHECK(w.parse({"check"}).run.deprecated);
  CHECK(w.parse({"check"}).run.libdir == "/l");
}

TEST_CASE("cli: what dump and restore are handed") {
  World w;
  CHECK(dump_options(w.parse({"dump", "-t", "5"})).final_state == FinalState::kill);
  CHECK(dump_options(w.parse({"dump", "-t", "5", "-R"})).final_state == FinalState::run);
  CHECK(dump_options(w.parse({"dump", "-t", "5", "-s"})).final_state == FinalState::stop);
  CHECK(dump_options(w.parse({"dump", "-t", "5"})).root_pid == HostPid(5));
  RestoreOptions r = restore_options(w.parse({"restore", "-d", "--plan", "--launcher-fd", "7", "--root-is-init"}));
  CHECK(r.detached);
  CHECK(r.plan);
  CHECK(r.launcher_fd == 7);
  CHECK(r.root_is_init);
}

TEST_CASE("cli: the help text has every public option") {
  std::string text = help_text();
  for (const OptionSpec& o : option_table())
    if (o.help) CHECK(text.find(o.name) != std::string::npos);
}
