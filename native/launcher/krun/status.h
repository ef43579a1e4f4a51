// The lines for whoever started the launcher; status.schema.json says what they mean.
#pragma once

enum { EXIT_LAUNCHER = 125 };

// From here on lines go to `descriptor`.
void status_open(int descriptor);

// Writes the line `entering`.
void status_entering(void);

// Writes the line `running`.
void status_running(void);

// Writes why there is no machine and ends the process with status 125. `number`: an errno, or 0. Never returns.
__attribute__((noreturn, format(printf, 4, 5))) void status_fail(const char *step, const char *subject, int number,
                                                                 const char *format, ...);
