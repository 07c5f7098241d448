// Entry of web/app.
import { startFrontEnd } from '@tracker/shared/shell/start.tsx';
import en from './i18n/en';
import './i18n/resources';
import { router } from './router';
import './styles.css';

void startFrontEnd({ router, application: 'app', english: en, others: { de: () => import('./i18n/de') } });

// The shell opens without a network and can be installed; see pwa/sw.js.
if (import.meta.env.PROD && 'serviceWorker' in navigator) {
  navigator.serviceWorker.register('/sw.js').catch((error: unknown) => console.warn('no service worker:', error));
}
