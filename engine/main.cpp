// ns-engine: dumps and restores process trees.
#include <csignal>
#include <string>
#include <vector>

#include "engine/cli/commands.h"

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  return nsr::run_engine(std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc));
}
