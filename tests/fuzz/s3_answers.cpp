#include "storage/objects/s3_answers.h"

#include "base/text.h"
#include "fuzz/fuzz.h"
#include "platform/aws/impl/sources.h"
#include "platform/aws/xml.h"

namespace {

using namespace lab;

void look_at_failure(const storage::S3Failure& failure) {
    fuzz::require(!failure.error.message.empty(), "a failure has words");
    fuzz::require(failure.error.message.size() < 300, "and few of them");
    for (const char c : failure.error.message) {
        fuzz::require(c >= ' ' && c <= '~', "of plain text");
    }
}

/// Its text, written again.
std::string write(const aws::XmlElement& element) {
    std::string out = "<" + element.name + ">" + aws::xml_escape(element.text);
    for (const aws::XmlElement& child : element.children) {
        out += write(child);
    }
    return out + "</" + element.name + ">";
}

bool same(const aws::XmlElement& a, const aws::XmlElement& b) {
    bool out = a.name == b.name && a.children.size() == b.children.size();
    for (std::size_t i = 0; out && i < a.children.size(); ++i) {
        out = same(a.children[i], b.children[i]);
    }
    return out;
}

void look_at_xml(std::string_view text) {
    const auto read = aws::parse_xml(text);
    // A prefix is nothing without the attribute that says what it means.
    if (!read || text.find(':') != std::string_view::npos) {
        return;
    }
    const auto again = aws::parse_xml(write(*read));
    fuzz::require(again.has_value(), "what was read can be written");
    fuzz::require(same(*read, *again), "and is the same then");
}

void look_at_page(std::string_view text) {
    const auto page = storage::read_s3_page(text);
    if (!page) {
        return;
    }
    for (const storage::S3Listed& one : page->objects) {
        fuzz::require(!one.key.empty() && one.bytes >= 0, "a listed object has a key and a size");
    }
}

void look_at_profile(std::string_view text) {
    const std::string_view name = fuzz::take_until(text, '\n');
    const auto read = aws::read_profile(text, name);
    if (!read) {
        fuzz::require(is_utf8(read.error().message), "a problem is text");
        return;
    }
    if (const auto& found = *read) {
        fuzz::require(!found->access_key_id.empty(), "credentials have an id");
        fuzz::require(!found->secret_access_key.empty(), "and a secret");
    }
}

}  // namespace

// Answers of S3 and STS, and the file that credentials are in: whatever they say, a problem has
// plain words that are ours, and what is taken is whole.
FUZZ_TARGET(s3_answers) {
    std::string_view text = input;
    const unsigned choice = lab::fuzz::take_choice(text) % 6;
    http::Answer answer;
    answer.status = choice == 2 ? 200 : 403;
    answer.body = text;
    switch (choice) {
        case 0:
            return look_at_xml(text);
        case 1:
            return look_at_failure(storage::read_s3_failure(answer));
        case 2:
            if (const auto failure = storage::read_s3_completion(answer)) {
                look_at_failure(*failure);
            }
            return;
        case 3:
            return look_at_page(text);
        case 4:
            if (const auto id = storage::read_s3_upload(text)) {
                lab::fuzz::require(!id->empty() && id->size() <= 1024, "an upload has an id");
            }
            return;
        default:
            return look_at_profile(text);
    }
}
