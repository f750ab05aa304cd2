"""Titles of the sections that hold references and links, in the twenty languages.

Such a section is kept only where prose is left in it (see ``sections.py``). Titles are compared lower-case, without
punctuation at the end. The lists are our own, from the style guides of the editions and from the pages.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

REFERENCE_TITLES: Mapping[str, str] = MappingProxyType(
    {
        "bg": "източници|бележки|бележки и източници|източници и бележки|външни препратки|литература|библиография"
        "|препратки|допълнителна литература|използвана литература|цитирани източници",
        "ca": "referències|notes|notes i referències|referències i notes|enllaços externs|bibliografia|fonts"
        "|bibliografia complementària|bibliografia addicional|per a més informació|lectures addicionals",
        "cs": "reference|poznámky|poznámky a reference|externí odkazy|literatura|odkazy|zdroje|prameny|citace"
        "|související literatura|použitá literatura|další literatura|prameny a literatura|bibliografie",
        "da": "referencer|noter|kilder|kilder og henvisninger|eksterne henvisninger|eksterne links|litteratur"
        "|noter og referencer|fodnoter|henvisninger|kilder/referencer|ekstern henvisning|videre læsning"
        "|kildehenvisninger|bibliografi",
        "de": "sekundärliteratur|quellenangaben|bibliografie"
        "|einzelnachweise|weblinks|literatur|anmerkungen|quellen|fußnoten|belege"
        "|einzelnachweise und anmerkungen|anmerkungen und einzelnachweise|quellen und literatur"
        "|quellen und einzelnachweise|nachweise|weblink|referenzen|literatur und quellen"
        "|literatur und weblinks|externe links|bibliographie|weiterführende literatur",
        "en": "references|external links|notes|footnotes|citations|sources|bibliography|further reading"
        "|works cited|notes and references|references and notes|external link|notes and citations|endnotes"
        "|reference|source|citations and references|references and sources|sources and references"
        "|explanatory notes|general references|cited sources|literature|literature cited|cited works"
        "|general sources|references and further reading|primary sources|secondary sources"
        "|specific references|general and cited references|inline citations|notes and sources"
        "|external sources|footnotes and references|general bibliography|works cited and further reading"
        "|bibliography and further reading|further reading and references|citation notes|reference notes"
        "|weblinks|external links and references|online references|online sources|source notes|reading list"
        "|references cited",
        "es": "referencias|notas|notas y referencias|referencias y notas|enlaces externos|bibliografía|fuentes"
        "|enlace externo|bibliografía adicional|lectura adicional|lecturas adicionales|notas al pie"
        "|bibliografía utilizada|fuentes y referencias|lecturas recomendadas"
        "|véase también y enlaces externos|bibliografía complementaria|referencias bibliográficas|citas",
        "fr": "références|notes et références|notes|liens externes|bibliographie|sources|références et notes"
        "|lien externe|sources et bibliographie|bibliographie et sources|notes, sources et références"
        "|bibliographie indicative|sources primaires|sources secondaires|pour approfondir"
        "|bases de données et dictionnaires|sources et références|notes et sources"
        "|bibliographie complémentaire|liens et références",
        "hr": "izvori|bilješke|bilješke i izvori|literatura|vanjske poveznice|vanjska poveznica|reference"
        "|napomene|izvori i bilješke|izvori i literatura|dodatna literatura|poveznice|bibliografija"
        "|vanjski linkovi",
        "hu": "jegyzetek|források|további információk|irodalom|külső hivatkozások|hivatkozások|megjegyzések"
        "|forrás|jegyzetek és források|források és jegyzetek|további irodalom|bibliográfia|szakirodalom"
        "|ajánlott irodalom",
        "it": "note|collegamenti esterni|bibliografia|riferimenti|fonti|altri progetti|note e riferimenti"
        "|annotazioni|esplicative|bibliografiche|fonti e bibliografia|bibliografia e fonti|link esterni"
        "|note bibliografiche|bibliografia di riferimento|approfondimenti|riferimenti bibliografici"
        "|note al testo|fonte",
        "nl": "referenties|bronnen|externe links|externe link|literatuur|noten|voetnoten"
        "|bronnen, noten en/of referenties|bronvermelding|bron|bronnen en referenties|noten en referenties"
        "|externe verwijzing|externe verwijzingen|bronnen en noten|verder lezen|verwijzingen"
        "|literatuur en bronnen|geraadpleegde literatuur|bibliografie",
        "pl": "przypisy|linki zewnętrzne|bibliografia|uwagi|literatura|źródła|literatura dodatkowa"
        "|uwagi i przypisy|przypisy i uwagi|literatura uzupełniająca|odnośniki|opracowania|link zewnętrzny"
        "|dalsza lektura",
        "pt": "referências|notas|notas e referências|referências e notas|ligações externas|bibliografia|fontes"
        "|ligação externa|links externos|leitura adicional|leituras adicionais|notas de rodapé"
        "|leitura recomendada|referências bibliográficas|bibliografia complementar|referência"
        "|bibliografia adicional|leitura complementar",
        "ro": "note|referințe|referinţe|legături externe|bibliografie|surse|note și referințe|note bibliografice"
        "|lectură suplimentară|note de subsol|referințe și note|vezi și legături externe"
        "|bibliografie suplimentară|izvoare|lectură recomandată|note şi referinţe|sursă"
        "|lecturi suplimentare|note explicative",
        "ru": "примечания|ссылки|литература|источники|комментарии|примечания и ссылки|сноски"
        "|примечания и источники|источники и литература|источники и примечания|внешние ссылки|библиография"
        "|ссылки и примечания|литература и ссылки|использованная литература|дополнительная литература"
        "|список литературы|ссылки и литература|рекомендуемая литература",
        "sl": "sklici|viri|zunanje povezave|literatura|opombe|viri in literatura|sklici in opombe"
        "|opombe in sklici|reference|viri in sklici|bibliografija|nadaljnje branje|dodatno branje"
        "|opombe in viri|zunanja povezava",
        "sr": "референце|спољашње везе|литература|напомене|извори|белешке|библиографија|додатна литература"
        "|фусноте|reference|spoljašnje veze|literatura|napomene|izvori|beleške|bibliografija|спољне везе"
        "|референце и напомене|вањске везе|извори и литература|spoljne veze|додатно читање"
        "|цитати и референце",
        "sv": "referenser|källor|noter|externa länkar|litteratur|fotnoter|tryckta källor|webbkällor"
        "|vidare läsning|källförteckning|källhänvisningar|extern länk|bibliografi|källor och noter"
        "|noter och källor|noter och referenser|anmärkningar|allmänna källor|källor och referenser"
        "|övriga källor|webblänkar",
        "uk": "примітки|посилання|література|джерела|зовнішні посилання|джерела та література"
        "|література та джерела|виноски|примітки та джерела|джерела та примітки|коментарі|бібліографія"
        "|додаткова література|література і джерела|посилання та примітки|джерела та посилання"
        "|джерела і література|рекомендована література|джерело",
    }
)

# Of these, titles that also head a part of the article itself (a country's literature, the springs of a river, what
# goes into depth): whether such a section holds references is told by what stands in it.
AMBIGUOUS_TITLES: Mapping[str, str] = MappingProxyType(
    {
        "bg": "литература|източници",
        "ca": "fonts",
        "cs": "literatura|prameny|zdroje|citace",
        "da": "litteratur|kilder",
        "de": "literatur|quellen|sekundärliteratur",
        "en": "literature|sources|source|citations|primary sources|secondary sources",
        "es": "fuentes|citas",
        "fr": "sources|sources primaires|sources secondaires|pour approfondir",
        "hr": "literatura|izvori",
        "hu": "irodalom|források|forrás|szakirodalom|további információk",
        "it": "approfondimenti|fonti|fonte",
        "nl": "literatuur|bronnen|bron",
        "pl": "literatura|źródła|opracowania",
        "pt": "fontes",
        "ro": "surse|sursă|izvoare",
        "ru": "литература|источники|комментарии",
        "sl": "literatura|viri",
        "sr": "литература|извори|literatura|izvori",
        "sv": "litteratur|källor",
        "uk": "література|джерела|джерело|коментарі",
    }
)
