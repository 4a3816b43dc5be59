// The one translation unit that holds the test runner itself.
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
