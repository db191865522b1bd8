/** Exit statuses: 0 done, 1 could not, 2 wrong usage, 3 damaged (with --strict) or partial. */
export const EXIT = { done: 0, failed: 1, usage: 2, damaged: 3 } as const;
