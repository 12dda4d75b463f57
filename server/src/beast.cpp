// beast.cpp: compiles the non-template parts of Asio, Beast and Boost.JSON, once for the whole server.
#include <boost/asio/impl/src.hpp>
#include <boost/beast/src.hpp>
#include <boost/json/src.hpp>
