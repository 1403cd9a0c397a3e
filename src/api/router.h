#pragma once
#include "api/route.h"

#include <map>

namespace lab::api {

/// Finds the route of a request. Immutable once made.
class Router {
  public:
    /// Errors: internal when a route has no guard, a guard without its permission, or two are the
    /// same: the program must not start with such a table.
    static Result<Router> make(std::vector<Route> routes);

    struct Match {
        const Route* route = nullptr;           ///< nullptr: none for this method, or path
        std::vector<std::string> path_values;   ///< decoded
        std::vector<std::string_view> allowed;  ///< without a route: methods of the path;
                                                ///< empty = no such path
    };
    /// `path` as sent; "/v1/..." is the same as without. HEAD finds GET.
    /// Errors: bad_request when the path cannot be decoded or an id in it is no UUID.
    Result<Match> find(std::string_view method, std::string_view path) const;

    const std::vector<Route>& routes() const { return routes_; }

  private:
    struct Node {
        std::map<std::string, std::size_t, std::less<>> literal;  ///< segment -> node
        std::size_t parameter = 0;                                ///< node of {name}; 0 = none
        std::vector<std::size_t> routes;
    };
    Router() : nodes_(1) {}
    Match at_node(std::string_view method, std::size_t node) const;
    std::vector<Route> routes_;
    std::vector<Node> nodes_;
    /// Nodes of the paths that are literal throughout: most requests need no more than this.
    std::map<std::string, std::size_t, std::less<>> literal_;
};

/// Percent-decoding; `plus_is_space` for queries. Errors: bad_request for a broken escape, a
/// control character or invalid UTF-8.
Result<std::string> percent_decode(std::string_view text, bool plus_is_space);

constexpr std::size_t kQueryValuesMax = 64;

/// Names and values of a query, decoded, in order. Errors: as percent_decode; bad_request for a
/// repeated name or more than kQueryValuesMax of them.
Result<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view query);

}  // namespace lab::api
