#include "engine/base/error.h"

#include <catch2/catch.hpp>

using nsr::Error;
using nsr::Failure;

TEST_CASE("error: one sentence of object, cause and remedy") {
  CHECK(std::string(Error(Failure::image, "pstree.img", "is cut short", "dump again").what()) ==
        "pstree.img: is cut short; dump again");
  CHECK(std::string(Error(Failure::usage, "", "no command").what()) == "no command");
}

TEST_CASE("error: exit codes are stable") {
  CHECK(Error(Failure::usage, "", "").exit_code() == 1);
  CHECK(Error(Failure::unsupported, "", "").exit_code() == 2);
  CHECK(Error(Failure::target, "", "").exit_code() == 3);
  CHECK(Error(Failure::image, "", "").exit_code() == 4);
  CHECK(Error(Failure::environment, "", "").exit_code() == 5);
  CHECK(Error(Failure::io, "", "").exit_code() == 6);
  CHECK(Error(Failure::timeout, "", "").exit_code() == 7);
  CHECK(Error(Failure::script, "", "").exit_code() == 8);
  CHECK(Error(Failure::not_built, "", "").exit_code() == 9);
  CHECK(Error(Failure::internal, "", "").exit_code() == 10);
}
