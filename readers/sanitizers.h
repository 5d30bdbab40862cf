#pragma once
/// MOESCOPE_SANITIZED: 1 where a sanitizer is compiled in that has allocators and stacks of its own, else 0.

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)  // g++ says so
#define MOESCOPE_SANITIZED 1
#elif defined(__has_feature)  // clang
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MOESCOPE_SANITIZED 1
#endif
#endif

#ifndef MOESCOPE_SANITIZED
#define MOESCOPE_SANITIZED 0
#endif
