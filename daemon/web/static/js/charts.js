/* Counts per day as stacked bars, by uPlot, which is loaded when the first one is drawn. */

const HEIGHT = 170;
let loading = null;

function uPlotLoaded() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = "static/vendor/uplot/uPlot.iife.min.js";
    script.onload = () => resolve(window.uPlot);
    script.onerror = () => reject(new Error("the chart could not be loaded"));
    document.head.append(script);
  });
  return loading;
}

/** `<day-bars>`: its `data` is {dates, series: [{name, tone, values}]}, the lowest bar first. */
class DayBars extends HTMLElement {
  #data = null;
  #plot = null;
  #shown = "";
  #sizes = new ResizeObserver(() => this.#plot?.setSize({ width: this.clientWidth, height: HEIGHT }));
  #recolour = () => this.#draw();
  #system = matchMedia("(prefers-color-scheme: dark)");

  get data() { return this.#data; }
  set data(value) {
    this.#data = value;
    const text = JSON.stringify(value);
    if (text === this.#shown && this.#plot !== null) return;
    this.#shown = text;
    this.#draw();
  }

  connectedCallback() {
    this.#sizes.observe(this);
    addEventListener("themechange", this.#recolour);
    this.#system.addEventListener("change", this.#recolour);
    this.#draw();
  }

  disconnectedCallback() {
    this.#sizes.disconnect();
    removeEventListener("themechange", this.#recolour);
    this.#system.removeEventListener("change", this.#recolour);
    this.#plot?.destroy();
    this.#plot = null;
  }

  async #draw() {
    if (this.#data === null || !this.isConnected) return;
    const uPlot = await uPlotLoaded().catch((error) => this.append(error.message));
    if (!uPlot || !this.isConnected) return;
    this.#plot?.destroy();
    this.replaceChildren();
    this.#plot = new uPlot(options(uPlot, this.#data, this.clientWidth), stacked(this.#data), this);
  }
}

customElements.define("day-bars", DayBars);

/** What uPlot draws: days as seconds, then the sums from all down to the lowest, each over the one before. */
function stacked({ dates, series }) {
  const sums = series.map((_, index) => dates.map((_, day) => series.slice(0, index + 1).reduce((sum, it) => sum + (it.values[day] ?? 0), 0)));
  return [dates.map((it) => Date.parse(`${it}T00:00:00Z`) / 1000), ...sums.reverse()];
}

function options(uPlot, { dates, series }, width) {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const axis = { stroke: colour("faint"), font: "11px system-ui", grid: { stroke: colour("rule"), width: 1 }, ticks: { show: false } };
  const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
  return {
    width, height: HEIGHT,
    padding: [8, 8, 0, 0],
    tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "UTC"),
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: true, range: (_, from, until) => [from - 43_200, until + 43_200] },
      y: { range: (_, __, most) => [0, Math.max(1, most)] },
    },
    axes: [
      { ...axis, grid: { show: false }, size: 24, space: 56, values: (_, ticks) => ticks.map((it) => day.format(it * 1000)) },
      { ...axis, size: 38, space: 34, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5] },
    ],
    series: [{}, ...[...series].reverse().map(({ tone }) => ({
      fill: colour(tone), width: 0, points: { show: false },
      paths: uPlot.paths.bars({ size: [dates.length > 45 ? 0.8 : 0.66, 14], radius: 0.15 }),
    }))],
  };
}
