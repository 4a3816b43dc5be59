#include "ns-launcher/option_table.h"

#include <string>

namespace nsr::launcher {
namespace {

constexpr auto none = Argument::none;
constexpr auto required = Argument::required;
constexpr auto optional = Argument::optional;
constexpr auto pass = Meaning::pass;

constexpr OptionRule rules[] = {
    // ours
    {"propagation", 0, required, false, Meaning::propagation},
    {"ns-pidfile", 0, required, false, Meaning::ns_pidfile},
    {"engine", 0, required, false, Meaning::engine},
    {"help", 'h', none, false, Meaning::help},
    {"version", 'V', none, false, Meaning::version},
    // shared with the engine
    {"images-dir", 'D', required, false, Meaning::images_dir},
    {"work-dir", 'W', required, false, Meaning::work_dir},
    {"shell-job", 'j', none, true, Meaning::shell_job},
    {"plan", 0, none, false, Meaning::plan},
    {"restore-detached", 'd', none, true, Meaning::detached},
    {"daemon", 'd', none, true, Meaning::detached},
    {"pidfile", 0, required, false, Meaning::pidfile},
    // the engine's
    {"action-script", 0, required, false, pass},
    {"address", 0, required, false, pass},
    {"all", 0, none, false, pass},
    {"allow-uprobes", 0, none, true, pass},
    {"auto-dedup", 0, none, true, pass},
    {"cgroup-dump-controller", 0, required, false, pass},
    {"cgroup-props", 0, required, false, pass},
    {"cgroup-props-file", 0, required, false, pass},
    {"cgroup-root", 0, required, false, pass},
    {"cgroup-yard", 0, required, false, pass},
    {"close", 0, required, false, pass},
    {"config", 0, required, false, pass},
    {"cpu-cap", 0, optional, false, pass},
    {"deprecated", 0, none, true, pass},
    {"display-stats", 0, none, true, pass},
    {"empty-ns", 0, required, false, pass},
    {"enable-external-masters", 0, none, false, pass},
    {"enable-external-sharing", 0, none, false, pass},
    {"enable-fs", 0, required, false, pass},
    {"evasive-devices", 0, none, true, pass},
    {"exec-cmd", 0, none, false, pass},
    {"experimental", 0, none, true, pass},
    {"ext-mount-map", 'M', required, false, pass},
    {"ext-unix-sk", 'x', optional, true, pass},
    {"external", 0, required, false, pass},
    {"extra", 0, none, true, pass},
    {"feature", 0, required, false, pass},
    {"file-locks", 'l', none, true, pass},
    {"file-validation", 0, required, false, pass},
    {"force-irmap", 0, none, true, pass},
    {"freeze-cgroup", 0, required, false, pass},
    {"ghost-fiemap", 0, none, true, pass},
    {"ghost-limit", 0, required, false, pass},
    {"inherit-fd", 0, required, false, pass},
    {"irmap-scan-path", 0, required, false, pass},
    {"join-ns", 'J', required, false, pass},
    {"lazy-pages", 0, none, false, pass},
    {"leave-running", 'R', none, false, pass},
    {"leave-stopped", 's', none, false, pass},
    {"libdir", 'L', required, false, pass},
    {"link-remap", 0, none, true, pass},
    {"log-file", 'o', required, false, pass},
    {"log-pid", 0, none, true, pass},
    {"lsm-mount-context", 0, required, false, pass},
    {"lsm-profile", 0, required, false, pass},
    {"manage-cgroups", 0, optional, false, pass},
    {"mntns-compat-mode", 0, none, true, pass},
    {"ms", 0, none, false, pass},
    {"network-lock", 0, required, false, pass},
    {"no-default-config", 0, none, false, pass},
    {"page-server", 0, none, true, pass},
    {"port", 0, required, false, pass},
    {"pre-dump-mode", 0, required, false, pass},
    {"prev-images-dir", 0, required, false, pass},
    {"ps-socket", 0, required, false, pass},
    {"restore-sibling", 'S', none, true, pass},
    {"root", 'r', required, false, pass},
    {"skip-file-rwx-check", 0, none, true, pass},
    {"skip-in-flight", 0, none, true, pass},
    {"skip-mnt", 0, required, false, pass},
    {"status-fd", 0, required, false, pass},
    {"stream", 0, none, true, pass},
    {"tcp-close", 0, none, true, pass},
    {"tcp-established", 0, none, true, pass},
    {"timeout", 0, required, false, pass},
    {"tls", 0, none, true, pass},
    {"tls-cacert", 0, required, false, pass},
    {"tls-cacrl", 0, required, false, pass},
    {"tls-cert", 0, required, false, pass},
    {"tls-key", 0, required, false, pass},
    {"tls-no-cn-verify", 0, none, true, pass},
    {"track-mem", 0, none, true, pass},
    {"tree", 't', required, false, pass},
    {"unprivileged", 0, none, true, pass},
    {"verbosity", 'v', optional, false, pass},
    {"veth-pair", 0, required, false, pass},
    {"weak-sysctls", 0, none, true, pass},
};

bool starts_with(std::string_view text, std::string_view prefix) { return text.substr(0, prefix.size()) == prefix; }

}  // namespace

Match find_long(std::string_view name) {
  Match found;
  bool ambiguous = false;
  // Prefixes that lead to the same meaning are not ambiguous, as with getopt_long(3).
  auto consider = [&](const OptionRule& rule, bool negated) {
    if (found.rule &&
        (found.rule->meaning == Meaning::pass || found.rule->meaning != rule.meaning || found.negated != negated))
      ambiguous = true;
    found = Match{&rule, negated};
  };
  const std::string_view no = "no-";
  for (const OptionRule& rule : rules) {
    if (name == rule.name) return Match{&rule, false};
    if (rule.negatable && starts_with(name, no) && name.substr(no.size()) == rule.name) return Match{&rule, true};
  }
  for (const OptionRule& rule : rules) {
    if (starts_with(rule.name, name)) consider(rule, false);
    if (rule.negatable && starts_with(std::string(no) + std::string(rule.name), name)) consider(rule, true);
  }
  return ambiguous ? Match{} : found;
}

const OptionRule* find_short(char letter) {
  for (const OptionRule& rule : rules)
    if (rule.letter == letter) return &rule;
  return nullptr;
}

}  // namespace nsr::launcher
