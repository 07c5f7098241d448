// Numbers, times and distances in the reader's language.
import { locale } from './i18n';

const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 31_557_600],
  ['month', 2_629_800],
  ['week', 604_800],
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
];

/** “3 hours ago”, “in 2 days”; “now” within the last minute. */
export function formatRelative(time: string | Date, now: number = Date.now()): string {
  const seconds = (new Date(time).getTime() - now) / 1000;
  const format = new Intl.RelativeTimeFormat(locale(), { numeric: 'auto' });
  for (const [unit, size] of UNITS) {
    if (Math.abs(seconds) >= size) return format.format(Math.trunc(seconds / size), unit);
  }
  return format.format(0, 'second');
}

export function formatTime(time: string | Date): string {
  return new Intl.DateTimeFormat(locale(), { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(time));
}

export function formatDate(time: string | Date): string {
  return new Intl.DateTimeFormat(locale(), { dateStyle: 'medium' }).format(new Date(time));
}

export function formatNumber(value: number, digits = 0): string {
  return new Intl.NumberFormat(locale(), { maximumFractionDigits: digits }).format(value);
}

/** Metres below a kilometre, kilometres above. */
export function formatDistance(metres: number): string {
  const kilo = Math.abs(metres) >= 1000;
  return new Intl.NumberFormat(locale(), {
    style: 'unit',
    unit: kilo ? 'kilometer' : 'meter',
    maximumFractionDigits: kilo ? 1 : 0,
  }).format(kilo ? metres / 1000 : metres);
}

/** Latitude and longitude to about a metre. */
export function formatPosition(position: { latitude: number; longitude: number }): string {
  return `${position.latitude.toFixed(5)}, ${position.longitude.toFixed(5)}`;
}
