// Numbers for people.

const kWhole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export function formatCount(value: number): string {
  return kWhole.format(value);
}

/** 87 B, 6.1 KB, 1.34 MB; three digits at most, decimal units. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${Math.round(bytes)} B`;
  if (bytes < 1_000_000) return `${threeDigits(bytes / 1000)} KB`;
  return `${threeDigits(bytes / 1_000_000)} MB`;
}

export function formatRatio(ratio: number): string {
  return ratio < 9.95 ? `${ratio.toFixed(1)}×` : `${formatCount(ratio)}×`;
}

/** 940, 12.4k, 3.05M */
export function formatAmount(value: number): string {
  const size = Math.abs(value);
  if (size < 10_000) return kWhole.format(Math.floor(value));
  if (size < 1_000_000) return `${threeDigits(value / 1000)}k`;
  return `${threeDigits(value / 1_000_000)}M`;
}

export function formatRate(perSecond: number): string {
  const sign = perSecond < 0 ? "−" : "+";
  const size = Math.abs(perSecond);
  return `${sign}${size < 100 ? Number(size.toFixed(size < 10 ? 2 : 1)) : formatAmount(size)}/s`;
}

/** 45 s, 2 min 05 s, 3 h 10 min */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) {
    const rest = seconds % 60;
    return `${Math.floor(seconds / 60)} min${rest === 0 ? "" : ` ${String(rest).padStart(2, "0")} s`}`;
  }
  const minutes = Math.floor(seconds / 60) % 60;
  return `${Math.floor(seconds / 3600)} h${minutes === 0 ? "" : ` ${minutes} min`}`;
}

function threeDigits(value: number): string {
  return value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : value.toFixed(0);
}
