#include "platform/aws/xml.h"

#include <expat.h>

#include <memory>

namespace lab::aws {
namespace {

constexpr std::size_t kBytesMax = 8U << 20;
constexpr std::size_t kDepthMax = 16;
constexpr std::size_t kElementsMax = 50'000;

Error bad(std::string_view why) {
    return {Code::upstream_error, "the answer is not the XML it should be: " + std::string(why)};
}

struct Reader {
    XML_Parser parser;
    XmlElement root;
    /// The elements that are open. An element's place is fixed while it is open: its parent gets no
    /// other child meanwhile.
    std::vector<XmlElement*> open;
    std::size_t elements = 0;
    std::string_view problem;

    void stop(std::string_view why) {
        problem = why;
        XML_StopParser(parser, XML_FALSE);
    }

    static void on_start(void* self, const XML_Char* name, const XML_Char** /*attributes*/) {
        auto& reader = *static_cast<Reader*>(self);
        if (++reader.elements > kElementsMax || reader.open.size() >= kDepthMax) {
            reader.stop("it has too many elements");
            return;
        }
        XmlElement& element =
            reader.open.empty() ? reader.root : reader.open.back()->children.emplace_back();
        element.name = name;
        reader.open.push_back(&element);
    }
    static void on_end(void* self, const XML_Char* /*name*/) {
        auto& reader = *static_cast<Reader*>(self);
        if (!reader.open.empty()) {
            reader.open.pop_back();
        }
    }
    static void on_text(void* self, const XML_Char* text, int length) {
        auto& reader = *static_cast<Reader*>(self);
        if (!reader.open.empty()) {
            reader.open.back()->text.append(text, static_cast<std::size_t>(length));
        }
    }
    static void on_document_type(
        void* self, const XML_Char*, const XML_Char*, const XML_Char*, int /*internal*/
    ) {
        static_cast<Reader*>(self)->stop("it has a document type");
    }
};

}  // namespace

const XmlElement* XmlElement::find(std::string_view child) const {
    for (const XmlElement& one : children) {
        if (one.name == child) {
            return &one;
        }
    }
    return nullptr;
}

std::string_view XmlElement::text_of(std::string_view child) const {
    const XmlElement* const found = find(child);
    return found != nullptr ? std::string_view(found->text) : std::string_view();
}

Result<XmlElement> parse_xml(std::string_view text) {
    if (text.size() > kBytesMax) {
        return bad("it is too large");
    }
    const std::unique_ptr<XML_ParserStruct, decltype(&XML_ParserFree)> parser(
        XML_ParserCreate("UTF-8"), &XML_ParserFree
    );
    LAB_ASSERT(parser != nullptr, "memory for a reader of XML");
    Reader reader{.parser = parser.get(), .root = {}, .open = {}};
    XML_SetUserData(parser.get(), &reader);
    XML_SetElementHandler(parser.get(), &Reader::on_start, &Reader::on_end);
    XML_SetCharacterDataHandler(parser.get(), &Reader::on_text);
    XML_SetStartDoctypeDeclHandler(parser.get(), &Reader::on_document_type);
    if (XML_Parse(parser.get(), text.data(), static_cast<int>(text.size()), XML_TRUE) !=
        XML_STATUS_OK) {
        return bad(
            !reader.problem.empty() ? reader.problem
                                    : XML_ErrorString(XML_GetErrorCode(parser.get()))
        );
    }
    return std::move(reader.root);
}

std::string xml_escape(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            default:
                if (static_cast<unsigned char>(c) >= 0x20 || c == '\t' || c == '\n' || c == '\r') {
                    out += c;
                }
        }
    }
    return out;
}

}  // namespace lab::aws
