# Flags of every target of ours. Packages are included as SYSTEM, so the warnings are about our code only.
add_compile_options(
    -Wall -Wextra -Wshadow -Wconversion -Wnon-virtual-dtor -Woverloaded-virtual
    -Wimplicit-fallthrough -Wunused-result -Werror
    # Members that are not named keep their defaults: that is what the syntax is for.
    -Wno-missing-designated-field-initializers
    # A precompiled header that carries a time stamp would defeat ccache.
    "SHELL:-Xclang -fno-pch-timestamp"
)
# CMake 3.25 has no CMAKE_LINKER_TYPE.
add_link_options(-fuse-ld=lld-19)
add_compile_definitions(_GLIBCXX_ASSERTIONS)

# Hardening, as distributions ship it.
add_compile_options(-fstack-protector-strong)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
add_link_options(-pie -Wl,-z,relro,-z,now)
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT LAB_SANITIZE)
    add_compile_definitions(_FORTIFY_SOURCE=3)
    # What nlohmann's JSON asserts of itself at each step costs 4 % of a request; tests have it.
    add_compile_options("-DJSON_ASSERT(x)=static_cast<void>(0)")  # CMake drops such a definition
endif()

set(LAB_SANITIZE "" CACHE STRING "Sanitizers: address,undefined or thread")
if(LAB_SANITIZE)
    add_compile_options(-fsanitize=${LAB_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${LAB_SANITIZE})
    add_compile_definitions(LAB_SANITIZED=1)
endif()
