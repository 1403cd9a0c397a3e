// CMake wants a source file in every executable; the tests are in object libraries.
