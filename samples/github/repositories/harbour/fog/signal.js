// A fog signal: one long blast every two minutes.
export const seconds = 120;
