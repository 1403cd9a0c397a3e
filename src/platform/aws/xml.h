#pragma once
#include "base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace lab::aws {

/// An element of an answer; attributes are of no use here.
struct XmlElement {
    std::string name;  ///< as it is written, a prefix included
    std::string text;  ///< all text that is directly in it
    std::vector<XmlElement> children = {};

    /// The first child of this name, or nullptr.
    const XmlElement* find(std::string_view child) const;
    /// The text of the first child of this name, or empty.
    std::string_view text_of(std::string_view child) const;
};

/// Reads a whole document in UTF-8 (XML 1.0, by expat) and gives its root. Errors: upstream_error
/// for anything that is not well-formed, has a document type, is deeper than 16 elements, has more
/// than 50,000 of them or is larger than 8 MiB.
Result<XmlElement> parse_xml(std::string_view text);

/// `text` between tags, or in an attribute. Control characters that XML 1.0 cannot hold are left
/// out.
std::string xml_escape(std::string_view text);

}  // namespace lab::aws
