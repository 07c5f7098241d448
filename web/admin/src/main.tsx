// Entry of web/admin.
import { startFrontEnd } from '@tracker/shared/shell/start.tsx';
import en from './i18n/en';
import './i18n/resources';
import { router } from './router';
import './styles.css';

void startFrontEnd({ router, application: 'admin', english: en, others: { de: () => import('./i18n/de') } });
