// All that this program knows about libkrun's interface. Written for 1.17 and what follows it in the 1 series.
//
// Only calls that have a counterpart in the 2.0 interface are used, but for one: krun_set_console_output, without which a
// console that is no terminal gets no hvc0. Each failure ends the process with a line that names the function.
#pragma once

#include "document.h"

// Loads libkrun and makes sure that it has the functions and features that the document needs.
void krun_load(const struct document *document);

// Describes the machine to libkrun. Called once, after krun_load.
void krun_configure(const struct document *document);

// Becomes the machine; libkrun ends the process with it. Never returns.
__attribute__((noreturn)) void krun_enter(void);
