"""What differs between the twenty Wikipedias: namespace names, redirect words, months, number separators.

The twenty languages are those of the LLaMA paper (section 2.1, Wikipedia). Names are MediaWiki's own
(``languages/messages/Messages*.php``) with each site's aliases. A dump's own siteinfo is the better source where
there is one; this table is the fallback, and adds the aliases that siteinfo leaves out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from filters.wikitext.names import words


@dataclass(frozen=True)
class Language:
    """Names of one language edition. Lists are written as one string, separated by ``|``, lower-case.

    Attributes:
        file: names of the File namespace (number 6).
        category: names of the Category namespace (number 14).
        other: names of the other namespaces that occur in links (Media, Special, Talk, User, Wikipedia, ...).
        redirect: words that start a redirect page, without ``#``.
        months: the twelve months, as they stand inside a date.
        separators: thousands separator and decimal mark.
        media: names of the Media namespace (number -2), beside the English one.
    """

    file: str
    category: str
    other: str
    redirect: str
    months: str
    separators: str
    media: str = ""


# MediaWiki accepts these English names in every language.
ENGLISH_FILE = "file|image"
ENGLISH_CATEGORY = "category"
ENGLISH_MEDIA = "media"
ENGLISH_OTHER = "media|special|talk|user|user talk|project|wikipedia|mediawiki|template|help|portal|draft|module|wp"

LANGUAGES: Mapping[str, Language] = MappingProxyType(
    {
        "bg": Language(
            file="файл|картинка",
            category="категория",
            other="медия|специални|беседа|потребител|уикипедия|шаблон|помощ|портал|модул",
            redirect="пренасочване|виж",
            media="медия",
            months="януари|февруари|март|април|май|юни|юли|август|септември|октомври|ноември|декември",
            separators=" ,",
        ),
        "ca": Language(
            file="fitxer|imatge",
            category="categoria",
            other="mèdia|especial|discussió|usuari|usuària|viquipèdia|plantilla|ajuda|portal|viquiprojecte|mòdul",
            redirect="redirecció|redireccio",
            media="mèdia",
            months="gener|febrer|març|abril|maig|juny|juliol|agost|setembre|octubre|novembre|desembre",
            separators=".,",
        ),
        "cs": Language(
            file="soubor|obrázek",
            category="kategorie",
            other="média|speciální|diskuse|uživatel|wikipedista|wikipedistka|wikipedie|šablona|nápověda|portál|modul",
            redirect="přesměruj",
            media="média",
            months="ledna|února|března|dubna|května|června|července|srpna|září|října|listopadu|prosince",
            separators=" ,",
        ),
        "da": Language(
            file="fil|billede",
            category="kategori",
            other="medie|speciel|diskussion|bruger|skabelon|hjælp|portal|modul",
            redirect="omdirigering",
            media="medie",
            months="januar|februar|marts|april|maj|juni|juli|august|september|oktober|november|december",
            separators=".,",
        ),
        "de": Language(
            file="datei|bild",
            category="kategorie",
            other="medium|spezial|diskussion|benutzer|benutzerin|vorlage|hilfe|portal|modul",
            redirect="weiterleitung",
            media="medium",
            months="Januar|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember",
            separators=".,",
        ),
        "en": Language(
            file=ENGLISH_FILE,
            category=ENGLISH_CATEGORY,
            other=ENGLISH_OTHER,
            redirect="redirect",
            months="January|February|March|April|May|June|July|August|September|October|November|December",
            separators=",.",
        ),
        "es": Language(
            file="archivo|imagen",
            category="categoría|categoria|cat",
            other="medio|especial|discusión|usuario|usuaria|plantilla|ayuda|portal|wikiproyecto|anexo|módulo",
            redirect="redirección|redireccion",
            media="medio",
            months="enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre",
            separators=" ,",
        ),
        "fr": Language(
            file="fichier",
            category="catégorie",
            other="média|spécial|discussion|utilisateur|utilisatrice|wikipédia|modèle|aide|portail|projet|référence",
            redirect="redirection",
            media="média",
            months="janvier|février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre",
            separators=" ,",
        ),
        "hr": Language(
            file="datoteka|slika|dt|f",
            category="kategorija|kt|ct",
            other="mediji|posebno|razgovor|suradnik|suradnica|wikipedija|predložak|pomoć|portal|dodatak|modul",
            redirect="preusmjeri",
            media="mediji|medij",
            months="siječnja|veljače|ožujka|travnja|svibnja|lipnja|srpnja|kolovoza|rujna|listopada|studenoga|prosinca",
            separators=".,",
        ),
        "hu": Language(
            file="fájl|kép",
            category="kategória",
            other="média|speciális|vita|szerkesztő|wikipédia|sablon|segítség|portál|modul",
            redirect="átirányítás",
            media="média",
            months="január|február|március|április|május|június|július|augusztus|szeptember|október|november|december",
            separators=" ,",
        ),
        "it": Language(
            file="immagine",
            category="categoria|cat",
            other="speciale|discussione|utente|template|aiuto|portale|progetto|modulo",
            redirect="rinvia|rinvio|rimando",
            months="gennaio|febbraio|marzo|aprile|maggio|giugno|luglio|agosto|settembre|ottobre|novembre|dicembre",
            separators=" ,",
        ),
        "nl": Language(
            file="bestand|afbeelding",
            category="categorie",
            other="speciaal|overleg|gebruiker|sjabloon|portaal|module",
            redirect="doorverwijzing",
            months="januari|februari|maart|april|mei|juni|juli|augustus|september|oktober|november|december",
            separators=".,",
        ),
        "pl": Language(
            file="plik|grafika",
            category="kategoria",
            other="specjalna|dyskusja|wikipedysta|wikipedystka|użytkownik|szablon|pomoc|wikiprojekt|moduł",
            redirect="patrz|przekieruj|tam",
            media="media",
            months="stycznia|lutego|marca|kwietnia|maja|czerwca|lipca|sierpnia|września|października|listopada|grudnia",
            separators=" ,",
        ),
        "pt": Language(
            file="ficheiro|arquivo|imagem",
            category="categoria",
            other="multimédia|especial|discussão|usuário|usuária|utilizador|wikipédia|predefinição|ajuda|anexo|módulo",
            redirect="redirecionamento|redirecione",
            media="multimédia|média",
            months="janeiro|fevereiro|março|abril|maio|junho|julho|agosto|setembro|outubro|novembro|dezembro",
            separators=" ,",
        ),
        "ro": Language(
            file="fișier|fişier|imagine",
            category="categorie",
            other="discuție|discuţie|utilizator|format|ajutor|proiect|modul",
            redirect="redirecteaza|redirectează",
            media="media",
            months="ianuarie|februarie|martie|aprilie|mai|iunie|iulie|august|septembrie|octombrie|noiembrie|decembrie",
            separators=".,",
        ),
        "ru": Language(
            file="файл|изображение",
            category="категория|к",
            other="медиа|служебная|обсуждение|участник|участница|википедия|шаблон|справка|портал|проект|модуль",
            redirect="перенаправление|перенапр",
            media="медиа",
            months="января|февраля|марта|апреля|мая|июня|июля|августа|сентября|октября|ноября|декабря",
            separators=" ,",
        ),
        "sl": Language(
            file="slika|datoteka",
            category="kategorija",
            other="posebno|pogovor|uporabnik|uporabnica|wikipedija|predloga|pomoč|modul",
            redirect="preusmeritev",
            months="januar|februar|marec|april|maj|junij|julij|avgust|september|oktober|november|december",
            separators=".,",
        ),
        "sr": Language(
            file="датотека|слика|datoteka|slika",
            category="категорија|kategorija",
            other="медиј|медија|посебно|разговор|корисник|википедија|шаблон|помоћ|портал|модул|medij|medija|posebno"
            "|razgovor|korisnik|vikipedija|šablon|pomoć|portal|modul",
            redirect="преусмери|preusmeri",
            media="медиј|медија|medij|medija",
            months="јануар|фебруар|март|април|мај|јун|јул|август|септембар|октобар|новембар|децембар",
            separators=".,",
        ),
        "sv": Language(
            file="fil|bild",
            category="kategori|kat",
            other="diskussion|användare|mall|hjälp|modul",
            redirect="omdirigering",
            months="januari|februari|mars|april|maj|juni|juli|augusti|september|oktober|november|december",
            separators=" ,",
        ),
        "uk": Language(
            file="файл|зображення|изображение",
            category="категорія|категория",
            other="медіа|медиа|спеціальна|обговорення|користувач|користувачка|вікіпедія|шаблон|довідка|портал|модуль",
            redirect="перенаправлення|перенаправление",
            media="медіа|медиа",
            months="січня|лютого|березня|квітня|травня|червня|липня|серпня|вересня|жовтня|листопада|грудня",
            separators=" ,",
        ),
    }
)

# Codes of the Wikipedias (and the former ones that old pages still link): ``[[de:Berlin]]`` is no text.
INTERLANGUAGE_CODES = words(
    """
    aa ab ace ady af ak als alt am ami an ang anp ar arc ary arz as ast atj av avk awa ay az azb ba ban bar
    bat-smg bcl be be-tarask be-x-old bg bh bi bjn blk bm bn bo bpy br bs bug bxr ca cbk-zam cdo ce ceb ch
    cho chr chy ckb co cr crh cs csb cu cv cy cz da dag de din diq dk dsb dty dv dz ee el eml en eo es et eu
    ext fa ff fi fiu-vro fj fo fr frp frr fur fy ga gag gan gcr gd gl glk gn gom gor got gpe gu guc gur guw
    gv ha hak haw he hi hif ho hr hsb ht hu hy hyw hz ia id ie ig ii ik ilo inh io is it iu ja jam jbo jp jv
    ka kaa kab kbd kbp kcg kg ki kj kk kl km kn ko koi kr krc ks ksh ku kv kw ky la lad lb lbe lez lfn lg li
    lij lld lmo ln lo lrc lt ltg lv mad mai map-bms mdf mg mh mhr mi min minnan mk ml mn mni mnw mo mr mrj
    ms mt mus mwl my myv mzn na nah nap nb nds nds-nl ne new ng nia nl nn no nov nqo nrm nso nv ny oc olo om
    or os pa pag pam pap pcd pcm pdc pfl pi pih pl pms pnb pnt ps pt pwn qu rm rmy rn ro roa-rup roa-tara ru
    rue rw sa sah sat sc scn sco sd se sg sh shi shn shy si simple sk skr sl sm smn sn so sq sr srn ss st
    stq su sv sw szl szy ta tay tcy te tet tg th ti tk tl tly tn to tpi tr trv ts tt tum tw ty tyv udm ug uk
    ur uz ve vec vep vi vls vo wa war wo wuu xal xh xmf yi yo za zea zh zh-cfr zh-classical zh-cn zh-min-nan
    zh-tw zh-yue zu
    ann bbc bdr bew btm dga dtp fat fon gur iba igl kge knc kus mos nr nup rki rsk syl tdd tig zgh
    """
)

# Of these codes no dump has its name: other spellings of one that is there, and variants inside one.
_NO_WIKIPEDIA = words("be-tarask cz dk jp minnan nb zh-cfr zh-cn zh-tw")
# The codes of Wikipedias, as their dumps are named, with hyphens for underscores; closed ones still have dumps.
WIKIPEDIAS = INTERLANGUAGE_CODES - _NO_WIKIPEDIA

_SHORTEST_NAME = 4  # of another edition's namespace; shorter ones may begin a title


def _of_every_edition(names: Iterable[str]) -> str:
    found = {name for row in names for name in row.split("|") if len(name) >= _SHORTEST_NAME}
    return "|".join(sorted(found))


# What any of the twenty editions calls files and categories.
EVERY_FILE = _of_every_edition(language.file for language in LANGUAGES.values())
EVERY_CATEGORY = _of_every_edition(language.category for language in LANGUAGES.values())

# Prefixes of the sister projects: their links are text, and the pipe trick drops the prefix.
SISTER_PREFIXES = words(
    """
    b books c commons d data m meta mw n news q quote s source species v voy w wikt wiktionary wikibooks
    wikidata wikinews wikipedia wikiquote wikisource wikispecies wikiversity wikivoyage toollabs foundation
    """
)
