/* Light or dark: as the system has it until somebody chooses. Runs before the first paint. */

(() => {
  const root = document.documentElement;
  const kept = () => {
    try { return localStorage.getItem("nightdesk.theme"); } catch { return null; }
  };
  const isDark = () => (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const chosen = kept();
  if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;

  window.nightdeskTheme = {
    isDark,
    turn() {
      root.dataset.theme = isDark() ? "light" : "dark";
      try { localStorage.setItem("nightdesk.theme", root.dataset.theme); } catch { /* it holds for this page */ }
      dispatchEvent(new Event("themechange"));
    },
  };
})();
