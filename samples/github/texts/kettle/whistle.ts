/** Notes of a whistle kettle: the pitch rises with the steam. */
export interface Whistle {
  startCelsius: number;
  hertz: (celsius: number) => number;
}

export const enamel: Whistle = {
  startCelsius: 92,
  hertz: (celsius) => (celsius < 92 ? 0 : 600 + (celsius - 92) * 55),
};
