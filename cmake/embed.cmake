# lab_embed_sql(<variable> <symbol> FILES ...)
#
# Writes a .cpp that holds numbered SQL files ("0001_init.sql", or "0001_init.up.sql" with the
# "0001_init.down.sql" that undoes it) as `std::span<const Migration> <symbol>()` and gives its path
# in <variable>. The text is embedded byte for byte: its checksum is what databases remember.
function(lab_embed_sql variable symbol)
    cmake_parse_arguments(EMBED "" "" "FILES" ${ARGN})
    set(entries "")
    foreach(file IN LISTS EMBED_FILES)
        get_filename_component(path "${file}" ABSOLUTE)
        set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${path}")
        get_filename_component(stem "${file}" NAME_WE)
        string(REGEX MATCH "^([0-9]+)_([a-z0-9_]+)$" matched "${stem}")
        if(NOT matched)
            message(FATAL_ERROR "${file}: a migration is named <number>_<name>.sql")
        endif()
        set(name "${CMAKE_MATCH_2}")
        string(REGEX REPLACE "^0+" "" version "${CMAKE_MATCH_1}")
        file(READ "${path}" text)
        set(undo "")
        if(path MATCHES "\\.up\\.sql$")
            string(REGEX REPLACE "\\.up\\.sql$" ".down.sql" down "${path}")
            set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${down}")
            file(READ "${down}" undo)
        endif()
        string(APPEND entries
            "    {${version}, \"${name}\", R\"sql(${text})sql\", R\"sql(${undo})sql\"},\n")
    endforeach()
    set(out "${CMAKE_CURRENT_BINARY_DIR}/${symbol}.cpp")
    file(CONFIGURE OUTPUT "${out}" CONTENT [[
// Made by cmake/embed.cmake from the .sql files: edit those.
#include "storage/store/impl/migrations.h"

namespace lab::storage {
namespace {
constexpr Migration kFiles[] = {
@entries@};
}  // namespace

std::span<const Migration> @symbol@() { return kFiles; }

}  // namespace lab::storage
]] @ONLY)
    set(${variable} "${out}" PARENT_SCOPE)
endfunction()
